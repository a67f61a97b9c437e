package parse

import (
	"bytes"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
)

// A start script is a file that gives the JVM of a Tomcat its options: bin/setenv.sh
// and setenv.bat, which catalina.sh and catalina.bat read, a unit of systemd, or a
// file of environment variables.
type startScript struct {
	file    *diag.File
	defines []Define
}

// Define is one -Dname=value among the options of a JVM.
type Define struct {
	Name  string
	Value string    // $NAME and %NAME% of the script are resolved, or written as ${NAME}
	Span  diag.Span // from the -D to the end of the value
}

// scriptLine is a line that sets one of the variables that Tomcat's scripts hand to the JVM.
var scriptLine = regexp.MustCompile(`(?m)^[ \t]*(?:export[ \t]+|set[ \t]+|Environment=)?["']?(?:CATALINA_OPTS|JAVA_OPTS)=`)

// isStartScript goes by the usual names, else by a line that sets CATALINA_OPTS or JAVA_OPTS.
func isStartScript(base string, data []byte) bool {
	switch base {
	case "setenv.sh", "setenv.bat":
		return true
	}
	switch path.Ext(base) {
	case ".xml", ".toml", ".properties":
		return false
	case ".conf":
		return !bytes.ContainsRune(data, '<') && setsOptions(data)
	}
	return setsOptions(data)
}

func setsOptions(data []byte) bool {
	return bytes.Contains(data, []byte("_OPTS=")) && scriptLine.Match(data)
}

var (
	scriptDefine     = regexp.MustCompile(`(?:^|[\s"'=])(-D([A-Za-z_][\w.-]*)(?:=("[^"]*"|'[^']*'|[^\s"']*))?)`)
	scriptAssignment = regexp.MustCompile(`^\s*(?:export\s+|set\s+|Environment=)?["']?([A-Za-z_]\w*)=["']?([^"'\s]*)`)
	scriptVariable   = regexp.MustCompile(`\$\{(\w+)\}|\$(\w+)|%(\w+)%|\$\([^)]*\)|` + "`[^`]*`")
)

// readScript finds the -D options of a start script, comments left out. Nothing
// is run: variables are known only from plain assignments further up.
func readScript(f *diag.File) *startScript {
	s := &startScript{file: f}
	variables := map[string]string{}
	start := 0
	for line := range bytes.Lines(f.Data) {
		from := start
		start += len(line)
		text := string(line)
		if trimmed := strings.ToLower(strings.TrimLeft(text, " \t")); strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, "rem ") ||
			strings.HasPrefix(trimmed, "::") || strings.HasPrefix(trimmed, ";") {
			continue
		}
		for _, m := range scriptDefine.FindAllStringSubmatchIndex(text, -1) {
			d := Define{Name: text[m[4]:m[5]], Span: diag.At(f, from+m[2], from+m[3])}
			if m[6] >= 0 {
				d.Value = expandScript(strings.Trim(text[m[6]:m[7]], `"'`), variables)
			}
			s.defines = append(s.defines, d)
		}
		if m := scriptAssignment.FindStringSubmatch(text); m != nil {
			variables[m[1]] = expandScript(m[2], variables)
		}
	}
	return s
}

// expandScript puts in the variables that are known; the others, and what a
// command would print, become ${NAME}.
func expandScript(s string, known map[string]string) string {
	return scriptVariable.ReplaceAllStringFunc(s, func(ref string) string {
		name := strings.Trim(ref, "${}%()`")
		if v, ok := known[name]; ok {
			return v
		}
		return "${" + name + "}"
	})
}

// scriptsOf returns the start scripts for the server.xml of a folder: those of
// its own CATALINA_BASE, and, when the set has just one Tomcat, every other one.
// A file elsewhere belongs to a Tomcat when a folder, or its own name, is the
// name of the node.
func (l *loader) scriptsOf(dir string) []*startScript {
	home := baseDir(dir)
	var own, named []*startScript
	for _, s := range l.scripts {
		switch scriptHome := baseDir(filepath.Dir(s.file.Name)); {
		case scriptHome == home:
			own = append(own, s)
		case l.servers == 1 || namesNode(s.file.Name, nodeName(filepath.Join(dir, "server.xml"))):
			named = append(named, s)
		}
	}
	return append(named, own...)
}

// baseDir is the CATALINA_BASE that a folder conf or bin stands in, else the folder.
func baseDir(dir string) string {
	switch strings.ToLower(filepath.Base(dir)) {
	case "conf", "bin":
		return filepath.Dir(dir)
	}
	return filepath.Clean(dir)
}

// namesNode reports whether a folder of the path is the node's name, or the file
// is called so: tomcat@s1.service, s1.env.
func namesNode(file, node string) bool {
	parts := strings.Split(filepath.ToSlash(file), "/")
	base := parts[len(parts)-1]
	base = strings.TrimSuffix(base, path.Ext(base))
	_, instance, _ := strings.Cut(base, "@")
	if base == node || instance == node {
		return true
	}
	for _, p := range parts[:len(parts)-1] {
		if p == node {
			return true
		}
	}
	return false
}

// define returns the last -D of that name in the scripts of a folder, as the JVM takes it.
func (l *loader) define(dir, name string) (Define, bool) {
	var found Define
	ok := false
	for _, s := range l.scriptsOf(dir) {
		for _, d := range s.defines {
			if d.Name == name {
				found, ok = d, true
			}
		}
	}
	return found, ok
}

// startOptions notes what the start scripts say for a node. Up to Tomcat 10.0 the
// system property jvmRoute is that of each Engine without the attribute
// (org.apache.catalina.core.StandardEngine, removed in 10.1).
func (l *loader) startOptions(n *model.Node) {
	if !n.At.IsValid() || len(l.scripts) == 0 {
		return
	}
	for _, s := range l.scriptsOf(nodeDir(n)) {
		l.r.Options[n] = append(l.r.Options[n], s.defines...)
	}
	d, ok := l.define(nodeDir(n), "jvmRoute")
	if !ok || n.Version.V == "" || model.VersionAtLeast(n.Version.V, "10.1") || n.Version.V == "10" {
		return
	}
	for _, s := range n.Services {
		if s.Engine != nil && !s.Engine.JVMRoute.IsSet() {
			s.Engine.JVMRoute = model.Is(d.Value, d.Span)
		}
	}
}
