// Command classes writes parse/known/tomcat_classes.txt: the classes of Apache
// Tomcat by version, with the classes they extend and the properties that Tomcat's
// digester can set on them. See README.md in the folder above.
package main

import (
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// branches are the versions of the table in the order of their bits in known.Tomcat.
var branches = []string{"7.0", "8.5", "9.0", "10.1", "11.0"}

// packages are those whose classes can stand in server.xml or context.xml.
var packages = []string{"org.apache.catalina.", "org.apache.coyote.", "org.apache.naming.", "org.apache.tomcat."}

func main() {
	trees := flag.String("tomcat", "", "source trees, as VERSION=DIR,…; versions as 7.0, 8.5, 9.0, 10.1, 11.0")
	out := flag.String("o", filepath.Join("parse", "known", "tomcat_classes.txt"), "the file to write")
	flag.Parse()
	text, err := generate(*trees)
	if err == nil {
		err = os.WriteFile(*out, []byte(text), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "classes:", err)
		os.Exit(1)
	}
}

// record is what all versions say of one class.
type record struct {
	versions int
	parents  map[string]int
	setters  map[string]int // name/kind -> versions
}

func generate(trees string) (string, error) {
	table := map[string]*record{}
	var sources []string
	for tree := range strings.SplitSeq(trees, ",") {
		version, dir, ok := strings.Cut(tree, "=")
		bit := slices.Index(branches, version)
		if !ok || bit < 0 {
			return "", fmt.Errorf("-tomcat: %q is not VERSION=DIR", tree)
		}
		release, err := releaseOf(dir)
		if err != nil {
			return "", err
		}
		sources = append(sources, "Tomcat "+release)
		if err := readTree(table, dir, 1<<bit); err != nil {
			return "", err
		}
	}
	return emit(table, sources), nil
}

// releaseOf reads the version of a tree from its build.properties.default.
func releaseOf(dir string) (string, error) {
	data, err := os.ReadFile(filepath.Join(dir, "build.properties.default"))
	if err != nil {
		return "", err
	}
	var parts [3]string
	for line := range strings.Lines(string(data)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if i := slices.Index([]string{"version.major", "version.minor", "version.build"}, key); i >= 0 {
			parts[i] = value
		}
	}
	return strings.Join(parts[:], "."), nil
}

func readTree(table map[string]*record, dir string, bit int) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "test" {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".java") {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		c := parseClass(string(data))
		if !slices.ContainsFunc(packages, func(p string) bool { return strings.HasPrefix(c.name, p) }) {
			return nil
		}
		r := table[c.name]
		if r == nil {
			r = &record{parents: map[string]int{}, setters: map[string]int{}}
			table[c.name] = r
		}
		r.versions |= bit
		for _, p := range c.parents {
			r.parents[p] |= bit
		}
		for name, kind := range c.setters {
			r.setters[name+"/"+string(kind)] |= bit
		}
		return nil
	})
}

// emit writes one line for each class: name, versions, parents, properties. A
// parent or property of less than all versions of its class has ":VERSIONS"
// behind it. Versions are bits, in hexadecimal digits.
func emit(table map[string]*record, sources []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Classes of %s (Apache License 2.0, see NOTICE). Written by internal/gen/classes; do not edit.\n", strings.Join(sources, ", "))
	for _, name := range slices.Sorted(maps.Keys(table)) {
		r := table[name]
		maps.DeleteFunc(r.parents, func(p string, _ int) bool { return table[p] == nil || p == name })
		fmt.Fprintf(&b, "%s\t%x\t%s\t%s\n", name, r.versions, emitList(r.parents, r.versions), emitList(r.setters, r.versions))
	}
	return b.String()
}

func emitList(list map[string]int, all int) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(list)) {
		if list[k] != all {
			k += fmt.Sprintf(":%x", list[k])
		}
		out = append(out, k)
	}
	return strings.Join(out, " ")
}
