package diff_test

import (
	"io/fs"
	"os"
	"testing"

	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/parse/model"

	"github.com/rogpeppe/go-internal/txtar"
)

// FuzzCompare: of any two files none differs from itself, and there and back the
// same is found.
func FuzzCompare(f *testing.F) {
	for _, name := range []string{"httpd", "same", "inherit"} {
		ar, err := txtar.ParseFile("testdata/" + name + ".txtar")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(ar.Files[0].Data, ar.Files[1].Data)
	}
	f.Add([]byte("<Location ~ a>\nRequire not ip 1\n</Location>\nRewriteEngine on\nRewriteRule a b [F]"), []byte("<VirtualHost>\n</VirtualHost>\nProxyPass / http://u:p@h/"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		mirrored(t, lower(a), lower(b))
	})
}

// lower reads one file, which finds no other.
func lower(data []byte) *model.Setup {
	c, _ := httpd.Load(diag.NewFile("httpd.conf", data), httpd.Options{
		Open:    func(string) ([]byte, error) { return nil, fs.ErrNotExist },
		ReadDir: func(string) ([]fs.DirEntry, error) { return nil, fs.ErrNotExist },
		Stat:    func(string) (os.FileInfo, error) { return nil, fs.ErrNotExist },
	})
	front, unmapped, _ := httpd.Lower(c)
	return &model.Setup{FrontEnds: []*model.FrontEnd{front}, Unmapped: unmapped}
}
