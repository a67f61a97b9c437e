package proxy

import (
	"errors"
	"flag"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"clowder/internal/vectors"
	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/runtime/front"
)

var vectorDir = flag.String("vectors", "../../testdata/vectors/httpd/routing", "folder of routing vectors")

// errorTime is the time of a member's last error, which differs from run to run.
var errorTime = regexp.MustCompile(`>[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [0-9:]+ GMT<`)

// proven is how many vectors of a topic pass; fewer is a failure.
var proven = map[string]int{
	"access":   35,
	"ajp":      1,
	"encode":   9,
	"expect":   1,
	"fail":     30,
	"forward":  2,
	"hcheck":   3,
	"header":   16,
	"lb":       18,
	"legacy":   3,
	"manager":  13,
	"match":    29,
	"merge":    6,
	"override": 5,
	"pool":     7,
	"reverse":  10,
	"sticky":   28,
	"swallow":  7,
	"upgrade":  4,
	"vhost":    9,
}

// play returns what differs, "" for nothing.
func play(t *testing.T, v *vectors.Vector) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	port := ln.Addr().(*net.TCPAddr).Port
	var p *Proxy
	var srv *front.Server
	defer func() {
		if srv != nil {
			srv.Close()
		}
		if p != nil {
			p.Close()
		}
	}()
	return vectors.Play(t, v, port, func(root, config string) (vectors.Front, error) {
		cfg, _ := httpd.Load(diag.NewFile(filepath.Join(root, "httpd.conf"), []byte(config)), httpd.Options{Whole: true})
		f, _, _ := httpd.Lower(cfg)
		if p, err = New(f, Options{}); err != nil {
			return vectors.Front{}, err
		}
		srv = front.New(front.Config{Handler: p.Handler(Listen{Port: port}), KeepAlive: true})
		go srv.Serve(ln)
		return vectors.Front{Addr: ln.Addr().String(), Body: func(body, want string) string {
			for _, b := range p.Balancers() {
				if b.Nonce != "" && strings.Contains(want, ">NONCE<") {
					body = strings.ReplaceAll(body, b.Nonce, "NONCE")
				}
			}
			if strings.Contains(want, ">(date)<") {
				body = errorTime.ReplaceAllString(body, ">(date)<")
			}
			return strings.ReplaceAll(body, "max>1024<", "max>16<") // httpd's is its number of threads
		}}, nil
	})
}

// TestVectors plays what was recorded from httpd through the real front.
func TestVectors(t *testing.T) {
	topics, err := os.ReadDir(*vectorDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range topics {
		passed, played := 0, 0
		files, _ := filepath.Glob(filepath.Join(*vectorDir, topic.Name(), "*.json"))
		for _, name := range files {
			v, err := vectors.Load(name)
			if pathErr := new(os.PathError); errors.As(err, &pathErr) {
				t.Fatal(err)
			} else if err != nil {
				t.Logf("%s: %v", name, err)
				continue
			}
			if v.Playable() != "" {
				continue
			}
			played++
			if diff := play(t, v); diff != "" {
				t.Logf("%s: %s", v.ID, diff)
			} else {
				passed++
			}
		}
		t.Logf("%s: %d of %d played (%d recorded)", topic.Name(), passed, played, len(files))
		if passed < proven[topic.Name()] {
			t.Errorf("%s: %d passed, %d did before", topic.Name(), passed, proven[topic.Name()])
		}
	}
}
