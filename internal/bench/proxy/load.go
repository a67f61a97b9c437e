package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// report is what the clients' process says of one load.
type report struct {
	Requests int
	Took     time.Duration
	P50, P99 time.Duration
	Err      string
}

// clients is the process that plays the clients.
type clients struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startClients() (*clients, error) {
	c := &clients{cmd: roleCommand("clients")}
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	return c, c.cmd.Start()
}

// run asks for a load; started is called when the measurement begins and ended
// when it is over, while the process waits.
func (c *clients) run(l load, started, ended func() error) (report, error) {
	if err := json.NewEncoder(c.in).Encode(l); err != nil {
		return report{}, err
	}
	for _, f := range []func() error{started, ended} {
		line, err := c.out.ReadString('\n')
		if err != nil {
			return report{}, fmt.Errorf("the clients' process ended: %w", err)
		}
		if line != "now\n" {
			return report{}, errors.New(strings.TrimSpace(line))
		}
		if err := f(); err != nil {
			return report{}, err
		}
		if _, err := io.WriteString(c.in, "\n"); err != nil {
			return report{}, err
		}
	}
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		return report{}, err
	}
	var r report
	if err := json.Unmarshal(line, &r); err != nil {
		return r, fmt.Errorf("%w: %s", err, line)
	}
	if r.Err != "" {
		return r, errors.New(r.Err)
	}
	if r.Requests == 0 {
		return r, errors.New("not one request was answered in time")
	}
	return r, nil
}

// playClients reads loads from standard input until its end.
func playClients() error {
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return nil
		}
		var l load
		if err := json.Unmarshal(line, &l); err != nil {
			return err
		}
		sync := func() { fmt.Println("now"); in.ReadByte() }
		out, err := json.Marshal(play(l, sync))
		if err != nil {
			return err
		}
		fmt.Println(string(out))
	}
}

// client is one kept-alive connection.
type client struct {
	addr  string
	nc    net.Conn
	r     *bufio.Reader
	req   []byte
	size  int64
	again int // requests repeated because the server had closed the connection
	times []time.Duration
	err   error
}

func newClient(l load) (*client, error) {
	nc, err := net.Dial("tcp", l.Addr)
	if err != nil {
		return nil, err
	}
	head := "GET " + l.Path + " HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: bench/1\r\nAccept: */*\r\n"
	if l.Post > 0 {
		head = "POST" + head[3:] + "Content-Type: application/octet-stream\r\nContent-Length: " + strconv.Itoa(l.Post) + "\r\n"
	}
	req := append([]byte(head+"\r\n"), make([]byte, l.Post)...)
	return &client{addr: l.Addr, nc: nc, r: bufio.NewReaderSize(nc, 64<<10), req: req, size: l.Size}, nil
}

// maxAgain is how often a server may close a kept-alive connection: httpd does
// when its workers are busy.
const maxAgain = 10

// once sends the request and reads the answer; when the connection was closed
// since its last use, on a new one.
func (c *client) once() error {
	err := c.try()
	if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) || c.again == maxAgain {
		return err
	}
	c.again++
	c.nc.Close()
	if c.nc, err = net.Dial("tcp", c.addr); err != nil {
		return err
	}
	c.r.Reset(c.nc)
	return c.try()
}

func (c *client) try() error {
	c.nc.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := c.nc.Write(c.req); err != nil {
		return err
	}
	length := int64(-1)
	for n := 0; ; n++ {
		line, err := c.r.ReadSlice('\n')
		if err == io.EOF && (n > 0 || len(line) > 0) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		if n == 0 && (len(line) < 12 || string(line[9:12]) != "200") {
			return fmt.Errorf("answered %q", line)
		}
		if len(line) == 2 {
			break
		}
		const name = "content-length:"
		if len(line) > len(name) && strings.EqualFold(string(line[:len(name)]), name) {
			if length, err = strconv.ParseInt(strings.TrimSpace(string(line[len(name):])), 10, 64); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return c.chunked()
	}
	if length != c.size {
		return fmt.Errorf("answer of %d bytes, want %d", length, c.size)
	}
	return c.skip(length)
}

func (c *client) skip(n int64) error {
	for n > 0 {
		k, err := c.r.Discard(int(min(n, 1<<20)))
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		n -= int64(k)
	}
	return nil
}

// chunked reads a body in chunks.
func (c *client) chunked() error {
	for total := int64(0); ; {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(line)), 16, 64)
		if err != nil {
			return err
		}
		if err := c.skip(n + 2); err != nil {
			return err
		}
		total += n
		if n == 0 && total == c.size {
			return nil
		}
		if n == 0 {
			return fmt.Errorf("answer of %d bytes, want %d", total, c.size)
		}
	}
}

// play opens the connections, warms up, and measures.
func play(l load, sync func()) report {
	list, err := openClients(l)
	defer func() {
		for _, c := range list {
			c.nc.Close()
		}
	}()
	if err != nil {
		return report{Err: err.Error()}
	}
	if err := together(list, l.Warm); err != nil {
		return report{Err: err.Error()}
	}
	for _, c := range list {
		c.times = c.times[:0]
	}
	sync()
	begin := time.Now()
	err = together(list, l.Span)
	took := time.Since(begin)
	sync()
	if err != nil {
		return report{Err: err.Error()}
	}
	var times []time.Duration
	for _, c := range list {
		times = append(times, c.times...)
	}
	slices.Sort(times)
	n := len(times)
	return report{Requests: n, Took: took, P50: times[n/2], P99: times[min(n*99/100, n-1)]}
}

func openClients(l load) ([]*client, error) {
	var list []*client
	for range l.Conns {
		c, err := newClient(l)
		if err != nil {
			return list, err
		}
		list = append(list, c)
	}
	return list, nil
}

// together lets all connections send one request after another for the time, each
// at least one.
func together(list []*client, span time.Duration) error {
	var wg sync.WaitGroup
	var stop atomic.Bool
	timer := time.AfterFunc(span, func() { stop.Store(true) })
	defer timer.Stop()
	for _, c := range list {
		wg.Go(func() {
			for last := time.Now(); ; {
				if c.err = c.once(); c.err != nil {
					stop.Store(true)
					return
				}
				now := time.Now()
				c.times = append(c.times, now.Sub(last))
				last = now
				if stop.Load() {
					return
				}
			}
		})
	}
	wg.Wait()
	for _, c := range list {
		if c.err != nil {
			return c.err
		}
	}
	return nil
}
