package httpd

import (
	"path/filepath"
	"strings"

	"clowder/parse/diag"
)

// near looks for the file of an Include that found nothing, in a setup that was
// near looks for the file of an Include that found nothing, in a setup that was
// copied off its machine, so that its ServerRoot is assumed: below the root file's
// folder for conf/, else beside the file that names it. What is read in its place
// is said (H010).
func (l *loader) near(n *Node, optional bool) string {
	if optional || l.written != "" && !l.c.ServerRootReplaced || strings.ContainsAny(n.Arg(0), "*?[") {
		return ""
	}
	p := strings.ReplaceAll(n.Arg(0), `\`, "/")
	w := strings.TrimSuffix(strings.ReplaceAll(l.written, `\`, "/"), "/") + "/"
	if len(p) > len(w) && strings.EqualFold(p[:len(w)], w) {
		p = p[len(w):]
	}
	var tries []string
	if rest, ok := strings.CutPrefix(p, "conf/"); ok {
		tries = append(tries, filepath.Join(l.c.ServerRoot, rest))
	}
	tries = append(tries, filepath.Join(filepath.Dir(n.Span.File.Name), filepath.Base(p)))
	for _, name := range tries {
		if st, err := l.o.Stat(name); err == nil && st.Mode().IsRegular() && name != n.Span.File.Name {
			l.report("H010", "include-not-found", diag.Warning, n.Args[0].Span, "`Include %s` finds no file; %s was read in its place", n.Arg(0), name)
			return name
		}
	}
	return ""
}
