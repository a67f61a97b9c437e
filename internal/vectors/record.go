package vectors

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// Observation is what a step brought about: the answers, what the backends saw and
// what the log says, with ports and directories as places again.
type Observation struct {
	Responses []*response `json:"responses,omitempty"`
	Backend   []seen      `json:"backend,omitempty"`
	ErrorLog  []string    `json:"error_log,omitempty"`
	Failed    string      `json:"failed,omitempty"`
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
			o.Failed = err.Error()
		}
		time.Sleep(settle)
		o.Responses, o.Backend = []*response{got}, byMember(p.seen.take())
		if f.Log != nil {
			o.ErrorLog = f.Log()
		}
	}
	return out, nil
}

// Text is an observation in lines, for comparing two of them.
func (o *Observation) Text() string {
	var b strings.Builder
	for _, r := range o.Responses {
		b.WriteString(strings.Join([]string{strconv.Itoa(r.Status), r.Reason, r.Framing, r.Conn, strconv.FormatBool(r.Truncated), strconv.FormatBool(r.Timeout)}, " ") + "\n")
		b.WriteString(headerText(r.Headers, false) + r.text() + "\n")
	}
	for _, s := range o.Backend {
		b.WriteString(s.text(true) + "\n")
	}
	return b.String()
}
