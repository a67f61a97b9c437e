package interop

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"clowder/parse/diag"
	"clowder/parse/httpd"
)

// TestFormatKeepsWhatHTTPDReads lets the real httpd dump what it read of random
// configurations (mod_info's DUMP_CONFIG, with line numbers), before and after they
// were formatted: the dumps must be the same, and so must the verdicts.
func TestFormatKeepsWhatHTTPDReads(t *testing.T) {
	bin := Require(t, "apache2", "apt-get install apache2-bin", "/usr/sbin/apache2")
	root, head := syntaxRoot(t, "info")
	name := filepath.Join(root, "httpd.conf")
	dump := func(conf []byte) ([]byte, bool) {
		if err := os.WriteFile(name, conf, 0o644); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		out, err := exec.CommandContext(ctx, bin, "-t", "-D", "DUMP_CONFIG", "-f", name).Output()
		if ctx.Err() != nil {
			t.Fatal(ctx.Err())
		}
		return out, err == nil
	}
	changed, taken, n := 0, 0, min(*diffN, 100)
	for i := range n {
		g := generator{rand.New(rand.NewPCG(*diffSeed, uint64(1_000_000+i)))}
		before := []byte(head + g.section(0) + g.lines(0, 1+g.IntN(4)) + "  \n\t ServerAdmin c@d \t\nUseCanonicalName \\\n   On  \n")
		after, diags := httpd.Format(diag.NewFile(name, before), "    ")
		if len(diags) > 0 {
			continue
		}
		a, okA := dump(before)
		b, okB := dump(after)
		if okA != okB || okA && !bytes.Equal(a, b) {
			t.Errorf("input %d:\n%s\nformatted:\n%s\nhttpd before:\n%s\nafter:\n%s", i, before[len(head):], after[len(head):], a, b)
		}
		changed++
		if okA && bytes.Contains(a, []byte("ServerAdmin c@d")) {
			taken++
		}
	}
	t.Logf("%d formatted, %d of them taken by httpd", changed, taken)
	if changed < n/2 || taken < n/20 {
		t.Errorf("of %d inputs %d were formatted and %d taken by httpd", n, changed, taken)
	}
}
