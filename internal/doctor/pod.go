package doctor

// pod are the checks of this group.
var pod = []Check{}
