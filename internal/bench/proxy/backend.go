package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"clowder/runtime/ajp"
	"clowder/runtime/exchange"
)

// roleVar makes this program one of the other processes of a benchmark.
const roleVar = "CLOWDER_BENCH_ROLE"

// roleCommand runs this program in another role.
func roleCommand(role string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		exe = os.Args[0]
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), roleVar+"="+role)
	cmd.Stderr = os.Stderr
	return cmd
}

func runRole(role string) int {
	run := playClients
	if role == "backend" {
		run = playBackend
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", role+":", err)
		return 1
	}
	return 0
}

// backend is a running process of the role: two HTTP and two AJP listeners.
type backend struct {
	cmd  *exec.Cmd
	in   io.Closer
	http []string
	ajp  []string
}

func startBackend() (*backend, error) {
	b := &backend{cmd: roleCommand("backend")}
	var err error
	if b.in, err = b.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	a := strings.Fields(line)
	if err != nil || len(a) != 4 {
		return b, fmt.Errorf("the backend did not start: %w", err)
	}
	b.http, b.ajp = a[:2], a[2:]
	return b, nil
}

// playBackend serves until standard input ends.
func playBackend() error {
	var addrs []string
	for i := range 4 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		addrs = append(addrs, l.Addr().String())
		serve := serveHTTP
		if i >= 2 {
			serve = serveAJP
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go serve(c)
			}
		}()
	}
	fmt.Println(strings.Join(addrs, " "))
	io.Copy(io.Discard, os.Stdin)
	return nil
}

var bodies = map[string][]byte{
	"/small": bytes.Repeat([]byte("x"), smallSize),
	"/mid":   bytes.Repeat([]byte("y"), midSize),
	"/big":   bytes.Repeat([]byte("z"), 1<<20), // sent bigSize/1 MiB times
}

func sizeOf(path string) int64 {
	if path == "/big" {
		return bigSize
	}
	return int64(len(bodies[path]))
}

// serveHTTP answers the requests of one connection.
func serveHTTP(c net.Conn) {
	defer c.Close()
	r := bufio.NewReaderSize(c, 16<<10)
	heads := map[string][]byte{}
	for p := range bodies {
		heads[p] = fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nDate: Mon, 02 Nov 2026 10:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", sizeOf(p))
	}
	var out []byte
	for {
		path, length := "", 0
		for n := 0; ; n++ {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return
			}
			if len(line) <= 2 {
				break
			}
			if n == 0 {
				if f := bytes.Fields(line); len(f) == 3 {
					path = string(f[1])
				}
			}
			const name = "content-length:"
			if len(line) > len(name) && strings.EqualFold(string(line[:len(name)]), name) {
				length, _ = strconv.Atoi(strings.TrimSpace(string(line[len(name):])))
			}
		}
		if _, err := r.Discard(length); err != nil {
			return
		}
		body := bodies[path]
		if body == nil {
			io.WriteString(c, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
			continue
		}
		out = append(append(out[:0], heads[path]...), body...)
		if _, err := c.Write(out); err != nil {
			return
		}
		for left := sizeOf(path) - int64(len(body)); left > 0; left -= int64(len(body)) {
			if _, err := c.Write(body); err != nil {
				return
			}
		}
	}
}

// packet reads one AJP packet into buf and returns its payload.
func packet(r *bufio.Reader, buf []byte) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	p := buf[:binary.BigEndian.Uint16(head[2:])]
	_, err := io.ReadFull(r, p)
	return p, err
}

// serveAJP answers the requests of one AJP connection.
func serveAJP(c net.Conn) {
	defer c.Close()
	r := bufio.NewReaderSize(c, 16<<10)
	buf := make([]byte, 1<<16)
	var out []byte
	for {
		p, err := packet(r, buf)
		if err != nil {
			return
		}
		q, err := ajp.DecodeRequest(p)
		if err != nil {
			return
		}
		for left := q.Length; left > 0; {
			p, err := packet(r, buf)
			if err != nil || len(p) < 2 {
				return
			}
			if left -= int64(len(p) - 2); left > 0 {
				if _, err := c.Write(ajp.AppendGetBody(nil, 8186)); err != nil {
					return
				}
			}
		}
		body := bodies[q.URI]
		h := exchange.Header{{Name: "Content-Type", Value: "text/plain"}, {Name: "Content-Length", Value: strconv.Itoa(len(body))}}
		if out, err = ajp.AppendHeaders(out[:0], 200, "OK", h, 8192); err != nil {
			return
		}
		for len(body) > 0 {
			n := min(len(body), 8184)
			out = ajp.AppendSendBody(out, body[:n])
			body = body[n:]
		}
		if _, err := c.Write(ajp.AppendEnd(out, true)); err != nil {
			return
		}
	}
}
