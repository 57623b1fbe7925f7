package doctor

// guard are the checks of this group.
var guard = []Check{}
