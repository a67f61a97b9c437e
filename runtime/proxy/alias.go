package proxy

import (
	"path/filepath"
	"strings"

	"clowder/parse/model"
	"clowder/runtime/pcre"
)

// alias is one Alias, AliasMatch, ScriptAlias or ScriptAliasMatch (mod_alias).
type alias struct {
	m    *model.Alias
	re   *pcre.Regexp
	file string
}

func newAliases(list []*model.Alias, root string) ([]*alias, error) {
	var out []*alias
	for _, m := range list {
		a := &alias{m: m, file: m.File.V}
		if m.Regex.V {
			var err error
			if a.re, err = pcre.Compile(m.Path.V, 0); err != nil {
				return nil, at(m.At, err)
			}
		} else {
			a.file = keepSlash(below(root, a.file), a.file)
		}
		out = append(out, a)
	}
	return out, nil
}

// below makes a name absolute, under ServerRoot.
func below(root, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(root, name)
}

func keepSlash(name, written string) string {
	if strings.HasSuffix(written, "/") && !strings.HasSuffix(name, "/") {
		return name + "/"
	}
	return name
}

// aliases looks for a file or directory that stands for the path.
func (c *call) aliases() *problem {
	path := visible(c.path)
	for _, a := range c.srv.aliases {
		name := ""
		if a.re != nil {
			at, err := a.re.Find(path)
			if err != nil {
				c.p.log.Error("AliasMatch", "place", a.m.At, "path", path, "reason", err)
				return &problem{status: 500}
			}
			if at == nil {
				continue
			}
			name = below(c.srv.root, expand(a.m.File.V, path, at))
		} else {
			n := aliasMatch(path, a.m.Path.V)
			if n == 0 {
				continue
			}
			name = a.file + path[n:]
		}
		c.filename, c.base, c.script = name, "", a.m.Script.V
		if a.re == nil {
			c.base = a.file
		}
		return nil
	}
	return nil
}
