// Package render writes a setup in other configuration languages and says what
// was lost on the way.
package render

import (
	"clowder/render/caddy"
	"clowder/render/haproxy"
	"clowder/render/httpd"
	"clowder/render/jk"
	"clowder/render/native"
	"clowder/render/nginx"
	"clowder/render/target"
	"clowder/render/tomcat"
)

// Targets is the table of all targets, in the order of the help.
var Targets = []target.Target{
	native.Target,
	tomcat.Target,
	httpd.Target,
	jk.Target,
	nginx.Target,
	haproxy.Target,
	caddy.Target,
}

// Find returns the target of that name.
func Find(name string) (target.Target, bool) {
	for _, t := range Targets {
		if t.Name == name {
			return t, true
		}
	}
	return target.Target{}, false
}

// Names lists the names of all targets.
func Names() []string {
	names := make([]string, len(Targets))
	for i, t := range Targets {
		names[i] = t.Name
	}
	return names
}
