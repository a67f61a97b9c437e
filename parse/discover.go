package parse

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

// Kind is what an input file is.
type Kind uint8

// The kinds of input files.
const (
	Unknown Kind = iota
	HTTPDConf
	ServerXML
	ContextXML
	WebXML
	ClowderTOML
	PropertiesFile
	UsersXML
	StartScript
)

var kindNames = [...]string{"unknown", "httpd configuration", "server.xml", "context.xml", "web.xml", "clowder.toml", "properties", "tomcat-users.xml", "start script"}

func (k Kind) String() string { return kindNames[k] }

// maxFileSize bounds one input file, in bytes.
const maxFileSize = 256 << 20

// input is one file that was found or named.
type input struct {
	path  string
	kind  Kind
	data  []byte
	found bool   // by a search, not named by the user
	name  string // of the front end or node, as clowder.toml says
}

// rootNames are the names of an httpd root file, best first; each may stand in
// the directory itself or in one of rootDirs below it.
var (
	rootNames = []string{"httpd.conf", "apache2.conf"}
	rootDirs  = []string{"", "conf", "apache2", "httpd/conf", "etc/apache2", "etc/httpd/conf", "apache/conf", "usr/local/apache2/conf",
		"Apache24/conf", "Apache2.4/conf", "xampp/apache/conf", "opt/lampp/etc", "usr/local/etc/apache24", "Apache Software Foundation/Apache24/conf"}
)

// gather turns the paths of the command line into inputs: files as given,
// directories searched. Order: clowder.toml, httpd root files, then the files of
// Tomcat by path. remarks say what was seen and left out.
func gather(paths []string, overlay map[string][]byte) (inputs []input, remarks []string, err error) {
	defer func() {
		for i := range inputs {
			if data, ok := overlay[inputs[i].path]; ok {
				inputs[i].data = data
			}
		}
	}()
	for _, p := range paths {
		if data, ok := overlay[p]; ok {
			inputs = append(inputs, input{path: p, kind: classify(p, data), data: data})
			continue
		}
		st, err := os.Stat(p)
		if err != nil {
			return nil, nil, err
		}
		if !st.IsDir() {
			in, err := readInput(p)
			if err != nil {
				return nil, nil, err
			}
			inputs = append(inputs, in)
			continue
		}
		more, notes, err := searchDir(p)
		if err != nil {
			return nil, nil, err
		}
		inputs, remarks = append(inputs, more...), append(remarks, notes...)
	}
	return inputs, remarks, nil
}

func readInput(path string) (input, error) {
	st, err := os.Stat(path)
	if err != nil {
		return input{}, err
	}
	if st.Size() > maxFileSize {
		return input{}, fmt.Errorf("%s: larger than %d MiB", path, maxFileSize>>20)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return input{}, err
	}
	return input{path: path, kind: classify(path, data), data: data}, nil
}

// KindOf tells what a file is by its name, else by its content.
func KindOf(path string, data []byte) Kind { return classify(path, data) }

// classify tells what a file is by its name, else by its content.
func classify(path string, data []byte) Kind {
	base := strings.ToLower(filepath.Base(path))
	switch {
	case isStartScript(base, data):
		return StartScript
	case strings.HasSuffix(base, ".toml"):
		return ClowderTOML
	case strings.HasSuffix(base, ".properties"):
		return PropertiesFile
	case base == "tomcat-users.xml":
		return UsersXML
	case base == "context.xml" || base == "context.xml.default":
		return ContextXML
	case base == "web.xml" || base == "web-fragment.xml" || base == "web.xml.default":
		return WebXML
	case strings.HasSuffix(base, ".conf"):
		return HTTPDConf
	}
	if strings.HasSuffix(base, ".xml") || looksLikeXML(data) {
		return classifyXML(data)
	}
	return HTTPDConf
}

func looksLikeXML(data []byte) bool {
	b := bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF")), " \t\r\n")
	return bytes.HasPrefix(b, []byte("<?xml")) || bytes.HasPrefix(b, []byte("<Server")) ||
		bytes.HasPrefix(data, []byte("\xFF\xFE")) || bytes.HasPrefix(data, []byte("\xFE\xFF"))
}

// classifyXML goes by the name of the root element.
func classifyXML(data []byte) Kind {
	if bytes.HasPrefix(data, []byte("\xFF\xFE")) || bytes.HasPrefix(data, []byte("\xFE\xFF")) {
		data = bytes.ReplaceAll(data[2:], []byte{0}, nil)
	}
	switch rootName(bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF"))) {
	case "Server":
		return ServerXML
	case "Context":
		return ContextXML
	case "web-app", "web-fragment":
		return WebXML
	case "tomcat-users":
		return UsersXML
	}
	return Unknown
}

// rootName returns the name of the first start tag, past declarations, comments
// and a DOCTYPE.
func rootName(b []byte) string {
	for {
		i := bytes.IndexByte(b, '<')
		if i < 0 {
			return ""
		}
		b = b[i:]
		end := ">"
		switch {
		case bytes.HasPrefix(b, []byte("<!--")):
			end = "-->"
		case bytes.HasPrefix(b, []byte("<?")):
			end = "?>"
		case bytes.HasPrefix(b, []byte("<!")):
			if sub := bytes.IndexByte(b, '['); sub >= 0 && sub < bytes.IndexByte(b, '>') {
				end = "]>"
			}
		default:
			name := b[1:]
			if j := bytes.IndexAny(name, " \t\r\n/>"); j >= 0 {
				name = name[:j]
			}
			if j := bytes.IndexByte(name, ':'); j >= 0 {
				name = name[j+1:]
			}
			return string(name)
		}
		j := bytes.Index(b, []byte(end))
		if j < 0 {
			return ""
		}
		b = b[j+len(end):]
	}
}

// maxDepth bounds how deep a directory is searched for the files of Tomcat, and
// maxEntries how many entries are looked at.
const (
	maxDepth   = 8
	maxEntries = 200_000
)

func searchDir(dir string) (out []input, remarks []string, err error) {
	if in, err := readInput(filepath.Join(dir, "clowder.toml")); err == nil {
		out = append(out, in)
	}
	w, err := walk(dir)
	if err != nil {
		return nil, nil, err
	}
	roots, others := httpdRoots(dir, w.roots)
	if len(roots) == 0 && len(others) == 0 {
		roots = loneConf(dir)
	}
	for _, p := range others {
		remarks = append(remarks, p+" was not read: it is not the root file of "+dir+"; name it on the command line, or in [frontends] of clowder.toml, if it is one of another httpd")
	}
	for _, p := range append(roots, w.tomcat...) {
		in, err := readInput(p)
		if err != nil {
			return nil, nil, err
		}
		in.found = true
		if filepath.Base(p) == "server.xml" || !namesServer(filepath.Base(p)) || in.kind == ServerXML {
			out = append(out, in)
		}
	}
	return out, remarks, nil
}

// httpdRoots finds the root files of httpd below dir: the one at the usual place,
// else every one outside of the folder of another; found are all files with the
// names of root files. others are those left out, but for the samples that
// httpd's own installation keeps in conf/original.
func httpdRoots(dir string, found []string) (roots, others []string) {
	for _, d := range rootDirs {
		for _, n := range rootNames {
			p := filepath.Join(dir, d, n)
			if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() {
				return []string{p}, without(found, p)
			}
		}
	}
	depth := func(p string) int { return strings.Count(p, string(filepath.Separator)) }
	slices.SortStableFunc(found, func(a, b string) int { return depth(a) - depth(b) })
	var homes []string
	for _, p := range found {
		home := filepath.Dir(p)
		if strings.EqualFold(filepath.Base(home), "conf") {
			home = filepath.Dir(home)
		}
		inside := slices.ContainsFunc(homes, func(h string) bool { return strings.HasPrefix(p, h+string(filepath.Separator)) })
		if inside {
			others = append(others, p)
			continue
		}
		roots, homes = append(roots, p), append(homes, home)
	}
	sort.Strings(roots)
	return roots, without(others, "")
}

func without(list []string, p string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(x string) bool {
		return x == p || filepath.Base(filepath.Dir(x)) == "original"
	})
}

// loneConf gives a lone .conf file of the directory: with no usual name among
// the files it is the root file.
func loneConf(dir string) []string {
	confs, err := filepath.Glob(filepath.Join(dir, "*.conf"))
	if err != nil || len(confs) != 1 {
		return nil
	}
	return confs
}

// isDescriptor reports whether a path is conf/ENGINE/HOST/app.xml or a host's
// context.xml.default or web.xml.default, with a server.xml in conf.
func isDescriptor(path string) bool {
	base := filepath.Base(path)
	if filepath.Ext(base) != ".xml" && base != "context.xml.default" && base != "web.xml.default" {
		return false
	}
	dir := filepath.Dir(path)
	return isServerDir(filepath.Dir(filepath.Dir(dir))) && !isServerDir(dir)
}

// found is what a walk through a directory saw.
type found struct {
	roots  []string // with the name of an httpd root file
	tomcat []string // files of Tomcat, sorted
}

// walk looks for files with the names of httpd's root files, and for server.xml,
// context.xml, web.xml and their properties. A file such as server_1.xml counts
// where no server.xml stands beside it; its content has yet to say what it is.
func walk(dir string) (found, error) {
	var out found
	var likeServer []string
	seen := 0
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // unreadable folders are skipped
		}
		if seen++; seen > maxEntries {
			return fmt.Errorf("%s: more than %d files below it; name the files to read", dir, maxEntries)
		}
		rel, _ := filepath.Rel(dir, p)
		if d.IsDir() {
			if rel != "." && (strings.HasPrefix(d.Name(), ".") || strings.Count(rel, string(filepath.Separator)) >= maxDepth) {
				return filepath.SkipDir
			}
			return nil
		}
		switch name := d.Name(); {
		case slices.Contains(rootNames, name):
			out.roots = append(out.roots, p)
		case name == "server.xml", name == "context.xml", name == "web.xml", name == "catalina.properties", name == "tomcat-users.xml",
			name == "setenv.sh", name == "setenv.bat", isDescriptor(p):
			out.tomcat = append(out.tomcat, p)
		case namesServer(name):
			likeServer = append(likeServer, p)
		}
		return nil
	})
	for _, p := range likeServer {
		if !slices.Contains(out.tomcat, filepath.Join(filepath.Dir(p), "server.xml")) {
			out.tomcat = append(out.tomcat, p)
		}
	}
	sort.Strings(out.roots)
	sort.Strings(out.tomcat)
	return out, err
}

// namesServer reports whether the name is like that of a server.xml.
func namesServer(base string) bool {
	base = strings.ToLower(base)
	return strings.HasSuffix(base, ".xml") && strings.Contains(base, "server")
}
