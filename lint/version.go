package lint

import (
	"strconv"
	"strings"

	"clowder/parse/model"
)

// The versions assumed when nothing says otherwise.
const (
	DefaultHTTPD  = "2.4"
	DefaultTomcat = "10.1"
)

// AtLeast reports whether version is from or newer. Parts that the version leaves
// out count as the newest: "9.0" is the newest 9.0 and so at least "9.0.31".
func AtLeast(version, from string) bool {
	if from == "" {
		return true
	}
	v, f := strings.Split(version, "."), strings.Split(from, ".")
	for i := range f {
		want, _ := strconv.Atoi(f[i])
		if i >= len(v) {
			return true
		}
		have, err := strconv.Atoi(leadingDigits(v[i]))
		if err != nil {
			return true // 10.1.x
		}
		if have != want {
			return have > want
		}
	}
	return true
}

// Contains reports whether the version lies in the range.
func (r Range) Contains(version string) bool {
	return AtLeast(version, r.From) && (r.Below == "" || !AtLeast(version, r.Below))
}

func leadingDigits(s string) string {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return s[:i]
}

// HTTPDVersion returns the version of the front end, and whether it was declared
// or its files show it: modules that only 2.4 has, or NameVirtualHost with Order
// lines and none of these for 2.2.
func (in *Input) HTTPDVersion(fe *model.FrontEnd) (version string, sure bool) {
	if fe.Version.IsWritten() || in.HTTPDDeclared && fe.Version.V != "" {
		return fe.Version.V, true
	}
	for _, m := range fe.Modules {
		switch m.Name.V {
		case "access_compat_module", "authz_core_module", "slotmem_shm_module", "unixd_module":
			return DefaultHTTPD, true
		}
	}
	if fe.Version.V != "" && fe.Version.Origin == model.Inferred {
		return fe.Version.V, true
	}
	return DefaultHTTPD, false
}

// TomcatVersion returns the version of the node, and whether it was declared.
func (in *Input) TomcatVersion(n *model.Node) (version string, declared bool) {
	if n.Version.IsWritten() || in.TomcatDeclared && n.Version.V != "" {
		return n.Version.V, true
	}
	return DefaultTomcat, false
}
