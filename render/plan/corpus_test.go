package plan

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"clowder/parse"
	"clowder/render/ledger"
)

var corpus = flag.String("corpus", "", "directory of httpd files to lay out")

// TestCorpus lays out every file below -corpus: without a panic, each mapping
// accounted for, and in time.
func TestCorpus(t *testing.T) {
	if *corpus == "" {
		t.Skip("no -corpus directory of httpd configurations given")
	}
	n := 0
	err := filepath.WalkDir(*corpus, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) == ".xml" || filepath.Ext(path) == ".json" {
			return err
		}
		if st, err := os.Stat(path); err != nil || st.Size() > 2<<20 {
			return nil
		}
		r, err := parse.Load(parse.Options{Paths: []string{path}, Whole: true})
		if err != nil || len(r.Setup.FrontEnds) == 0 {
			return nil
		}
		start := time.Now()
		for _, p := range All(r.Setup) {
			l := ledger.New("test")
			p.Mark(l)
			l.Notes(p.Front)
			for _, s := range p.Sites {
				if len(s.Cells) == 0 || s.Cells[len(s.Cells)-1].Path != "/" {
					t.Errorf("%s: site %s does not end with /", path, s.Name)
				}
			}
		}
		if took := time.Since(start); took > time.Second {
			t.Logf("%s: %v", path, took)
		}
		n++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d files", n)
}
