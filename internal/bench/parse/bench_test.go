package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"clowder/parse/diag"
	"clowder/parse/httpd"
)

// TestGenerated proves that the measured file has the announced size and is
// without a finding, so that the time is that of a whole check.
func TestGenerated(t *testing.T) {
	data := generate(t.TempDir(), hostsPerFile)
	if n := bytes.Count(data, []byte("\n")); n < hostsPerFile*linesPerHost || n > hostsPerFile*linesPerHost+60 {
		t.Errorf("%d lines", n)
	}
	cfg, diags := httpd.Load(diag.NewFile("/nowhere/httpd.conf", data), httpd.Options{})
	front, _, _ := httpd.Lower(cfg)
	if len(front.VHosts) != hostsPerFile || len(diags) != 0 {
		t.Errorf("%d virtual hosts, %d findings", len(front.VHosts), len(diags))
	}
}

func TestMedianAndTable(t *testing.T) {
	m := median([]sample{{9 * time.Second, 1, 5}, {time.Second, 3, 4}, {2 * time.Second, 2, 9}})
	if m != (sample{2 * time.Second, 2, 5}) {
		t.Errorf("median %+v", m)
	}
	if wall, rss := perSize(sample{wall: time.Second, rss: 10}, sample{wall: 20 * time.Second, rss: 50}, 10); wall != 2 || rss != 0.5 {
		t.Errorf("per size: %v %v", wall, rss)
	}
	var out strings.Builder
	if err := table(&out, []row{{1, sample{wall: time.Second}, sample{wall: 2 * time.Second}, sample{wall: 4 * time.Second}}}); err != nil || !strings.Contains(out.String(), "0.25") || !strings.Contains(out.String(), "0.50") {
		t.Errorf("%v\n%s", err, &out)
	}
}
