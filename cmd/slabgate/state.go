package main

import (
	"errors"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/internal/generations"
)

// openGenerations opens the generations of namespaces, with a file in folder unless
// that is empty.
func openGenerations(folder string, up generations.Upstream, log *zap.Logger) (*generations.Store, error) {
	var cfg generations.Config
	if folder != "" {
		cfg.File = filepath.Join(folder, "generations")
	}
	return generations.Open(cfg, up, log)
}

// refuseState tells why the state folder can't be used.
func refuseState(io stdio, err error) error {
	var file *generations.FileError
	if errors.As(err, &file) {
		return refuse(io, exitConfig, "SG1081", "move the file away, and look at the host's disk", err)
	}
	return refuse(io, exitPermission, "SG1080", "make the folder that state names, and give it to slabgate's user alone", err)
}
