package vectors

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Observation is what a step brought about, as text with ports and directories as
// places: the answer and what the backends saw; and the lines of the log.
type Observation struct {
	Text string
	Log  []string
}

// settle is how long Record waits for what a step brings about behind the answer.
const settle = 300 * time.Millisecond

// Record plays a case, which needs no expectations, and returns what every step of
// it brought about: cases of one's own are recorded from the real httpd and compared
// with the same of clowder.
func Record(t *testing.T, v *Vector, port int, start func(root, config string) (Front, error)) ([]Observation, error) {
	p := &player{v: v, places: map[string]int{"FRONT": port}, root: t.TempDir(), seen: &log{},
		backends: map[string]peer{}, kept: map[string]*client{}}
	defer p.close()
	if err := p.prepare(); err != nil {
		return nil, err
	}
	f, err := start(p.root, p.fill(Prelude+strings.Join(v.Prelude, "\n")+"\n"+v.Config))
	if err != nil {
		return nil, err
	}
	p.f = f
	out := make([]Observation, len(v.Steps))
	for i := range v.Steps {
		s, o := &v.Steps[i], &out[i]
		for name, n := range s.Set {
			if b := p.backends[name]; b != nil {
				if err := b.set(p.script(n)); err != nil {
					return nil, err
				}
			}
		}
		time.Sleep(time.Duration(s.Sleep * float64(time.Second)))
		if s.Request == nil {
			continue
		}
		got, err := p.request(s.Request)
		if err != nil {
			o.Text = err.Error() + "\n"
		}
		time.Sleep(settle)
		o.Text += p.unfill(text(got, byMember(p.seen.take())))
		if f.Log != nil {
			o.Log = f.Log()
		}
	}
	return out, nil
}

var clientPort = regexp.MustCompile(`AJP_REMOTE_PORT","\d+"`)

// unfill puts places back into text.
func (p *player) unfill(s string) string {
	for n, port := range p.places {
		s = strings.ReplaceAll(s, strconv.Itoa(port), "@"+n+"@")
	}
	s = clientPort.ReplaceAllString(s, `AJP_REMOTE_PORT","(client port)"`)
	return strings.ReplaceAll(s, p.root, "$ROOT")
}

// text is an answer and what the backends saw, in lines.
func text(r *response, list []seen) string {
	var b strings.Builder
	fmt.Fprintln(&b, r.Status, r.Reason, r.Framing, r.Conn, "truncated", r.Truncated, "timeout", r.Timeout, r.Interim, r.Trailers, r.Echo, r.Got100)
	b.WriteString(headerText(r.Headers, false) + r.text() + "\n")
	for _, s := range list {
		b.WriteString(s.text(true) + "\n")
	}
	return b.String()
}
