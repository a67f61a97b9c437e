package parse

import "testing"

// TestGuards: what restricts access and has no place in the model is marked.
func TestGuards(t *testing.T) {
	tests := []struct {
		name, conf  string
		guard, file bool
	}{
		{"limit", "<Location />\n<Limit POST>\nRequire all denied\n</Limit>\n</Location>\n", true, false},
		{"if", "<If \"%{REMOTE_ADDR} != '10.0.0.1'\">\nRequire all denied\n</If>\n", true, false},
		{"rewrite of files", "<Directory /x>\nRewriteEngine On\nRewriteRule ^secret - [NC,F]\n</Directory>\n", false, true},
		{"rewrite is held by the model", "RewriteEngine On\nRewriteRule ^/secret - [F]\n", false, false},
		{"directory", "<Directory />\nRequire all denied\n</Directory>\n", false, true},
		{"directory without rules", "<Directory />\nOptions None\n</Directory>\n", false, false},
		{"refusing Redirect", "<If \"true\">\nRedirect 403\n</If>\n", true, false},
		{"Redirect elsewhere", "<If \"true\">\nRedirect 301 /x\n</If>\n", false, false},
		{"held by the model", "<Location /x>\nRequire all denied\n</Location>\n", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := mustLoad(t, Options{Paths: []string{unpack(t, "-- httpd.conf --\n"+tt.conf)}, Whole: true})
			guard, file := false, false
			for _, u := range r.Setup.Unmapped {
				guard, file = guard || u.Guard, file || u.FileGuard
			}
			kept, keptFile := false, false
			for _, u := range extrasOf(r.Setup.FrontEnds[0]) {
				kept, keptFile = kept || u.Guard, keptFile || u.FileGuard
			}
			if kept != guard || keptFile != file {
				t.Errorf("what is kept: guard %v, file %v", kept, keptFile)
			}
			if guard != tt.guard || file != tt.file {
				t.Errorf("guard %v, file %v; want %v, %v (%+v)", guard, file, tt.guard, tt.file, r.Setup.Unmapped)
			}
		})
	}
}
