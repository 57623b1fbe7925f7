module github.com/slabgate/slabgate/e2e/testdata/clients/go-memcache

go 1.26.0

require github.com/QuangTung97/go-memcache v0.3.5
