package parse

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/tomcat"
)

// Bounds on what is read of the libraries of applications: jars opened for one
// setup, bytes of a jar, and bytes of a web-fragment.xml.
const (
	maxJars     = 5000
	maxJarSize  = 256 << 20
	maxFragment = 1 << 20
)

// fragmentPath is the place of a fragment inside a jar (Servlet specification, 8.2.1).
const fragmentPath = "META-INF/web-fragment.xml"

// fragments reads the web-fragment.xml of the jars in WEB-INF/lib of every
// application whose web.xml was read. A folder named *.jar counts as an unpacked
// jar, as with Tomcat. What cannot be opened is a remark, no error: it is not the
// business of a configuration. The name of a fragment in a jar is
// JAR!/META-INF/web-fragment.xml.
func (l *loader) fragments() {
	read := map[string]bool{}
	for _, doc := range l.r.Docs {
		read[filepath.Clean(doc.File.Name)] = true
	}
	opened := 0
	for _, doc := range l.webs {
		dir := filepath.Dir(doc.File.Name)
		if path.Base(filepath.ToSlash(dir)) != "WEB-INF" || filepath.Base(doc.File.Name) != "web.xml" {
			continue
		}
		lib := filepath.Join(dir, "lib")
		entries, err := os.ReadDir(lib)
		if err != nil || read[lib] {
			continue
		}
		read[lib] = true
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), ".jar") {
				continue
			}
			if opened++; opened > maxJars {
				l.r.Remarks = append(l.r.Remarks, fmt.Sprintf("more than %d jars in the applications; those from %s on were not opened", maxJars, filepath.Join(lib, e.Name())))
				return
			}
			name, data, err := readFragment(filepath.Join(lib, e.Name()))
			if err != nil {
				l.r.Remarks = append(l.r.Remarks, fmt.Sprintf("%s was not read: %v", filepath.Join(lib, e.Name()), err))
			}
			if data != nil && !read[filepath.Clean(name)] {
				l.fragment(name, data)
			}
		}
	}
}

func (l *loader) fragment(name string, data []byte) {
	f := diag.NewFile(name, data)
	doc, diags := tomcat.Parse(f)
	if !doc.IsFragment() {
		return
	}
	l.r.Kinds[f] = WebXML
	l.r.Setup.Files = append(l.r.Setup.Files, f)
	l.r.Docs = append(l.r.Docs, doc)
	l.add(diags)
}

// readFragment returns the fragment of a jar, or of a folder that stands for one,
// and its name. Data is nil when it has none.
func readFragment(jar string) (name string, data []byte, err error) {
	st, err := os.Stat(jar)
	if err != nil {
		return "", nil, err
	}
	if st.IsDir() {
		name = filepath.Join(jar, filepath.FromSlash(fragmentPath))
		if st, err = os.Stat(name); err != nil || !st.Mode().IsRegular() || st.Size() > maxFragment {
			return "", nil, nil
		}
		data, err = os.ReadFile(name)
		return name, data, err
	}
	if !st.Mode().IsRegular() || st.Size() > maxJarSize {
		return "", nil, fmt.Errorf("no file of at most %d MiB", maxJarSize>>20)
	}
	z, err := zip.OpenReader(jar)
	if err != nil {
		return "", nil, err
	}
	defer z.Close()
	for _, f := range z.File {
		if f.Name != fragmentPath {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return "", nil, err
		}
		defer r.Close()
		data, err = io.ReadAll(io.LimitReader(r, maxFragment+1))
		if err == nil && len(data) > maxFragment {
			err = fmt.Errorf("%s is larger than %d KiB", fragmentPath, maxFragment>>10)
		}
		if err != nil {
			return "", nil, err
		}
		return jar + "!/" + fragmentPath, data, nil
	}
	return "", nil, nil
}
