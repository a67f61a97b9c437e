package main

import (
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

func TestMediansAndRatios(t *testing.T) {
	m := medians([]sample{{cpu: 9, p99: 5}, {cpu: 1, p99: 7}, {cpu: 2, p99: 6}})
	if m.cpu != 2 || m.p99 != 6 {
		t.Errorf("medians %+v", m)
	}
	var list []result
	for _, s := range scenarios {
		for i, p := range []string{"clowder", "httpd", "haproxy", "nginx"} {
			if !s.ajp || i < 2 {
				list = append(list, result{scenario: s.name, peer: p, sample: sample{cpu: float64(i + 1)}})
			}
		}
	}
	r := ratios(list)
	if len(r) != 4 || r["http_vs_httpd"] != 0.5 || r["http_vs_haproxy"] != 1/3. || r["http_vs_nginx"] != 0.25 || r["ajp_vs_httpd"] != 0.5 {
		t.Errorf("ratios %v", r)
	}
	var out strings.Builder
	if err := table(&out, list); err != nil || !strings.Contains(out.String(), "0.33 ×") {
		t.Errorf("%v\n%s", err, &out)
	}
}

// TestProcess: the CPU time and memory of this process are counted.
func TestProcess(t *testing.T) {
	before, err := treeCPU(os.Getpid())
	if err != nil {
		t.Skip("needs /proc: ", err)
	}
	for end, n := time.Now().Add(20*time.Second), 0; ; n++ {
		now, err := treeCPU(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if now-before >= 5*tick {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%v used, %d readings", now-before, n)
		}
	}
	if m, err := treeMemory(os.Getpid()); err != nil || m < 1<<20 {
		t.Errorf("%d bytes, %v", m, err)
	}
}

// TestBackendAndClients: the answers of the backend are what the clients expect,
// and an answer of another length is an error.
func TestBackendAndClients(t *testing.T) {
	ln := listen(t)
	for path, size := range map[string]int64{"/small": smallSize, "/mid": midSize, "/big": bigSize} {
		r := play(load{Addr: ln, Path: path, Conns: 2, Size: size}, func() {})
		if r.Err != "" || r.Requests < 2 {
			t.Errorf("%s: %+v", path, r)
		}
	}
	if r := play(load{Addr: ln, Path: "/small", Conns: 1, Size: smallSize, Post: postSize}, func() {}); r.Err != "" {
		t.Error("POST:", r.Err)
	}
	if r := play(load{Addr: ln, Path: "/small", Conns: 1, Size: 1}, func() {}); !strings.Contains(r.Err, "want 1") {
		t.Errorf("wrong length: %+v", r)
	}
	if r := play(load{Addr: ln, Path: "/none", Conns: 1}, func() {}); !strings.Contains(r.Err, "404") {
		t.Errorf("unknown path: %+v", r)
	}
}

func listen(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serveHTTP(c)
		}
	}()
	return l.Addr().String()
}
