package drill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"clowder/parse/model"
)

// entry is the place where the balancer takes requests for the nodes.
type entry struct {
	address string // host without port
	port    int
	host    string // Host header
	path    string
}

// findEntry picks the first listening port and the first mapping to a balancer.
func findEntry(s *model.Setup) (entry, error) {
	for _, f := range s.FrontEnds {
		if len(f.Listens) == 0 {
			continue
		}
		l := f.Listens[0]
		e := entry{address: "127.0.0.1", port: l.Port.V, host: "localhost"}
		if a := l.Address.V; a != "" && a != "0.0.0.0" && a != "::" && a != "*" {
			e.address = a
		}
		for _, srv := range append([]*model.Server{f.Main}, f.VHosts...) {
			if p, ok := balancedPath(srv); ok {
				e.path = p
				if srv.ServerName.V != "" {
					e.host, _, _ = strings.Cut(srv.ServerName.V, ":")
				}
				return e, nil
			}
		}
	}
	return entry{}, errors.New("no Listen port with a ProxyPass to a balancer: there is no way in for the drill's requests")
}

func balancedPath(srv *model.Server) (string, bool) {
	if srv == nil {
		return "", false
	}
	for _, m := range srv.Mappings {
		if strings.HasPrefix(m.Target.V, "balancer://") && !m.Regex.V {
			return withSlash(m.Path.V), true
		}
	}
	for _, sec := range srv.Sections {
		if sec.Mapping != nil && strings.HasPrefix(sec.Mapping.Target.V, "balancer://") && sec.Kind.V == "Location" {
			return withSlash(sec.Path.V), true
		}
	}
	return "", false
}

func withSlash(p string) string {
	if strings.HasSuffix(p, "/") {
		return p
	}
	return p + "/"
}

// client is one session: a browser with its cookies.
type client struct {
	url, host string
	http      *http.Client
	cookies   map[string]string
	node      string // that answered last
	seen      int
	failed    int
	problem   string
	answered  time.Time // of the first answer after the kill
}

func newClients(e entry, offset, n int) []*client {
	tr := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	h := &http.Client{Transport: tr, Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	url := "http://" + net.JoinHostPort(e.address, strconv.Itoa(e.port+offset)) + e.path
	out := make([]*client, n)
	for i := range out {
		out[i] = &client{url: url, host: e.host, http: h, cookies: map[string]string{}}
	}
	return out
}

var (
	countLine = regexp.MustCompile(`Tambah = (\d+)`)
	nodeLine  = regexp.MustCompile(`Node = ([^\s<]+)`)
)

// request sends one request and reads the counter of the answer.
func (c *client) request(ctx context.Context) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return 0, err
	}
	req.Host = c.host
	for k, v := range c.cookies {
		req.AddCookie(&http.Cookie{Name: k, Value: v})
	}
	res, err := c.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return 0, err
	}
	if res.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s answered %s", c.url, res.Status)
	}
	for _, ck := range res.Cookies() {
		c.cookies[ck.Name] = ck.Value
	}
	m := countLine.FindSubmatch(body)
	if m == nil {
		return 0, fmt.Errorf("%s answered without a counter: is the app of the nodes not the counter page?", c.url)
	}
	if n := nodeLine.FindSubmatch(body); n != nil {
		c.node = string(n[1])
	}
	return strconv.Atoi(string(m[1]))
}

// drive counts up to count; anything else than 1, 2, 3, … before a node was
// killed means that the setup does not work at all.
func (c *client) drive(ctx context.Context, count int) error {
	for want := 1; want <= count; want++ {
		got, err := c.request(ctx)
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("before any kill, request %d of a session showed %d: requests of one session reach nodes that do not share it (stickiness)", want, got)
		}
	}
	return nil
}

// after sends the one request that shows whether the session lived on. A failed
// request is counted and tried again twice, as a person would.
func (c *client) after(ctx context.Context) {
	for range 3 {
		got, err := c.request(ctx)
		if err == nil {
			c.seen, c.answered = got, time.Now()
			return
		}
		c.failed++
		c.problem = err.Error()
	}
}

// eachClient runs f for all clients, a few at a time, and returns the first error.
func eachClient(ctx context.Context, clients []*client, parallel int, f func(context.Context, *client) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan *client)
	var wg sync.WaitGroup
	for range parallel {
		wg.Go(func() {
			for c := range work {
				if err := f(ctx, c); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
feed:
	for _, c := range clients {
		select {
		case work <- c:
		case <-ctx.Done():
			break feed
		}
	}
	close(work)
	wg.Wait()
	return context.Cause(ctx)
}
