package doctor

// network are the checks of this group.
var network = []Check{}
