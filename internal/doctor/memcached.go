package doctor

// memcached are the checks of this group.
var memcached = []Check{}
