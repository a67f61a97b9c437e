package plan

import (
	"path"
	"slices"
	"strings"

	"clowder/parse/model"
)

// servable reports whether the files below a directory may be served by a proxy
// that knows no <Directory> sections: the innermost section around it grants
// access to all, none lies inside, and files are hidden by their names only as
// .ht* ones are. A target that serves files must refuse those.
func (c *cutter) servable(root string, s *model.Settings) bool {
	root = path.Clean(strings.ReplaceAll(root, `\`, "/"))
	granted, depth := false, -1
	for _, d := range s.Extras {
		name := strings.ToLower(d.Name.V)
		switch {
		case name == "directory" && len(d.Args) == 1 && !isGlob(d.Args[0].V):
			dir := path.Clean(strings.ReplaceAll(d.Args[0].V, `\`, "/"))
			inside := dir != root && strings.HasPrefix(dir, strings.TrimSuffix(root, "/")+"/")
			around := dir == root || strings.HasPrefix(root, strings.TrimSuffix(dir, "/")+"/")
			verdict, plain := grants(d)
			switch {
			case inside && !plain, around && !plain:
				return false
			case inside && verdict != "" && verdict != "all":
				return false
			case around && verdict != "" && len(dir) > depth:
				depth, granted = len(dir), verdict == "all"
			}
		case (name == "files" || name == "filesmatch") && hidesHtFiles(d):
		case d.Files.V || d.Guard.V:
			return false
		}
	}
	return granted || depth < 0
}

// grants tells what a Directory section says: "all", "none", or "" for nothing;
// plain is false when it says more than that.
func grants(d *model.Directive) (verdict string, plain bool) {
	plain = true
	for _, c := range d.Children {
		text := strings.ToLower(c.Name.V)
		for _, a := range c.Args {
			text += " " + strings.ToLower(a.V)
		}
		switch text {
		case "require all granted", "allow from all":
			verdict = "all"
		case "require all denied", "deny from all":
			verdict = "none"
		case "order allow,deny", "order deny,allow":
		default:
			if c.Guard.V || c.Files.V || c.Section.V || slices.Contains([]string{"require", "order", "allow", "deny", "satisfy", "authtype", "allowoverride", "rewriterule"}, strings.ToLower(c.Name.V)) &&
				text != "allowoverride none" {
				plain = false
			}
		}
	}
	return verdict, plain
}

// hidesHtFiles reports whether the section refuses .htaccess and the like, as
// httpd's stock configurations have it.
func hidesHtFiles(d *model.Directive) bool {
	if len(d.Args) == 0 {
		return false
	}
	last := d.Args[len(d.Args)-1].V
	if !slices.Contains([]string{".ht*", `^\.ht`, `^\.([Hh][Tt])`}, last) {
		return false
	}
	verdict, plain := grants(d)
	return plain && verdict == "none"
}
