// Package ext stands for the module of that name, which Traefik's own go.mod
// replaces by a folder: the point where other builds of Traefik add to its
// configuration. The public build adds nothing.
package ext

// HTTP has no fields.
type HTTP struct{}

// Router has no fields.
type Router struct{}
