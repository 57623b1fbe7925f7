package doctor

// machine are the checks of this group.
var machine = []Check{}
