package vectors

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// seen is what a backend saw: one request, AJP packet or connection.
type seen struct {
	Member   string      `json:"member"`
	Conn     int         `json:"conn"`
	Line     string      `json:"line"`
	Headers  [][2]string `json:"headers"`
	Body     string      `json:"body"`
	Chunked  bool        `json:"chunked"`
	Sent100  bool        `json:"sent100"`
	Accepted bool        `json:"accepted"` // a connection without a request

	Packet     string     `json:"packet"` // AJP from here on
	MethodCode int        `json:"method_code"`
	Method     string     `json:"method"`
	Protocol   string     `json:"protocol"`
	URI        string     `json:"uri"`
	RemoteAddr *string    `json:"remote_addr"`
	RemoteHost *string    `json:"remote_host"`
	ServerName *string    `json:"server_name"`
	ServerPort any        `json:"server_port"`
	IsSSL      int        `json:"is_ssl"`
	Attributes [][]string `json:"attributes"`
	Trailing   int        `json:"trailing"`
	Chunks     []int      `json:"body_chunks"`
	LastPacket string     `json:"last_body_packet"`
}

// text is the record as one line; the length stands for a long body.
func (s seen) text(conn bool) string {
	if !conn {
		s.Conn = 0
	}
	if len(s.Body) > 2000 {
		s.Body = fmt.Sprintf("%d bytes", len(s.Body))
	}
	if s.Headers == nil {
		s.Headers = [][2]string{}
	}
	if s.Attributes == nil {
		s.Attributes = [][]string{}
	}
	s.Headers = slices.Clone(s.Headers)
	for i, h := range s.Headers { // blanks around a value are lost on the way
		s.Headers[i][1] = strings.TrimSpace(h[1])
	}
	s.ServerPort = fmt.Sprint(s.ServerPort)
	b, err := json.Marshal(s)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// placeholders stand for what changes from run to run.
var placeholders = []struct{ text, pattern string }{
	{"(client port)", `\d+`},
	{"(date)", `[^<\n]*`},
	{"(varies)", `[^<\n]*?`},
	{"NONCE", `[0-9a-fA-F-]{36}`},
	{"[TIME]", `\[[^\]\n]*\]`},
}

var balancerID = regexp.MustCompile(`\\\[pID_(\w+)\\\]`)

// same compares recorded text that may hold placeholders.
func same(got, want string) bool {
	if got == want {
		return true
	}
	pattern, found := regexp.QuoteMeta(want), false
	for _, p := range placeholders {
		q := regexp.QuoteMeta(p.text)
		found = found || strings.Contains(pattern, q)
		pattern = strings.ReplaceAll(pattern, q, p.pattern)
	}
	if balancerID.MatchString(pattern) {
		pattern, found = balancerID.ReplaceAllString(pattern, `\[p[0-9a-f]+_$1\]`), true
	}
	return found && regexp.MustCompile(`\A(?s:`+pattern+`)\z`).MatchString(got)
}

const recordedServer = "Apache/2.4.71"

// want fills in recorded text and puts the front's own name in.
func (p *player) want(s string) string {
	s = p.fill(s)
	if p.f.Server == "" || !strings.Contains(s, recordedServer) {
		return s
	}
	s = strings.ReplaceAll(s, recordedServer+" (Debian)", p.f.Server)
	return strings.ReplaceAll(s, recordedServer, p.f.Server)
}

// answer compares an answer with the recorded one.
func (p *player) answer(got, want *response) string {
	differ := func(what string, g, w any) string { return fmt.Sprintf("%s %.9000v, want %.9000v", what, g, w) }
	switch {
	case want.Timeout != got.Timeout:
		return differ("client time-out", got.Timeout, want.Timeout)
	case want.Timeout:
		return ""
	case want.Conn != got.Conn:
		return differ("connection", fmt.Sprintf("%q, status %d", got.Conn, got.Status), want.Conn)
	case want.Conn != "":
		return ""
	case got.Status != want.Status || got.Reason != p.want(want.Reason) || got.HTTP != want.HTTP:
		return differ("status", fmt.Sprint(got.Status, " ", got.Reason, " ", got.HTTP, " ", got.text()), fmt.Sprint(want.Status, " ", want.Reason, " ", want.HTTP))
	}
	part := want.part()
	if g, w := headerText(got.Headers, part), p.want(headerText(want.Headers, part)); !same(g, w) {
		return differ("headers", g, w)
	}
	if want.Body != nil {
		g, w := got.text(), p.want(*want.Body)
		if part {
			if i := strings.Index(g, w); i >= 0 {
				g = g[i : i+len(w)]
			}
		}
		if p.f.Body != nil {
			g = p.f.Body(g, w)
		}
		if !same(sortOptions(g), sortOptions(w)) {
			return differ("body", fmt.Sprintf("%q", g), fmt.Sprintf("%q", w))
		}
	}
	if want.Framing != "" && got.Framing != want.Framing {
		return differ("framing", got.Framing, want.Framing)
	}
	if g, w := fmt.Sprint(got.Truncated, got.Got100, got.Trailers, got.Interim, got.Echo),
		fmt.Sprint(want.Truncated, want.Got100, want.Trailers, want.Interim, want.Echo); g != w {
		return differ("truncated, 100, trailers, interim answers, echo", g, w)
	}
	return ""
}

// part reports whether only a part of the body was recorded, or one with a
// directory of another length in it.
func (r *response) part() bool {
	if r.Body == nil || r.Framing != "length" || r.Truncated {
		return false
	}
	for _, h := range r.Headers {
		if strings.EqualFold(h[0], "Content-Length") {
			return h[1] != strconv.Itoa(len(fiveDigits.ReplaceAllString(*r.Body, "12345")))
		}
	}
	return false
}

var fiveDigits = regexp.MustCompile(`@[A-Z]+@`)

func (r *response) text() string {
	if r.Body == nil {
		return ""
	}
	return *r.Body
}

// headerText is the header as lines; the elements of Allow are sorted. noLength
// leaves out Content-Length.
func headerText(h [][2]string, noLength bool) string {
	var b strings.Builder
	for _, f := range h {
		if noLength && strings.EqualFold(f[0], "Content-Length") {
			continue
		}
		if strings.EqualFold(f[0], "Allow") {
			list := strings.FieldsFunc(f[1], func(r rune) bool { return r == ',' || r == ' ' })
			slices.Sort(list)
			f[1] = strings.Join(list, ",")
		}
		b.WriteString(f[0] + ": " + f[1] + "\n")
	}
	return b.String()
}

var optionRun = regexp.MustCompile(`(?:<option [^\n]*\n)+`)

// sortOptions sorts neighbouring <option> lines: the order of the methods on a
// manager page changes from start to start.
func sortOptions(s string) string {
	return optionRun.ReplaceAllStringFunc(s, func(run string) string {
		lines := strings.SplitAfter(run, "\n")
		slices.Sort(lines)
		return strings.Join(lines, "")
	})
}

// records compares what backends and log have of a step; what is still on its way
// is waited for.
func (p *player) records(s *step) string {
	diff := ""
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if diff = p.saw(s.Expect.Backend); diff == "" {
			diff = p.said(s.Expect.ErrorLog, s.Expect.Response != nil && s.Expect.Response.Status < 400)
		}
		if diff == "" || time.Now().After(end) {
			break
		}
	}
	p.all = append(p.all, p.seen.take()...)
	return diff
}

// saw compares what the backends saw with the record, backend by backend.
func (p *player) saw(want []seen) string {
	var g, w []string
	conn := !strings.HasPrefix(p.v.ID, "hcheck")
	for _, s := range byMember(p.seen.peek()) {
		if !p.isCheck(&s) {
			g = append(g, s.text(conn))
		}
	}
	for _, s := range byMember(want) {
		w = append(w, p.want(s.text(conn)))
	}
	if len(g) == len(w) {
		equal := true
		for i := range g {
			equal = equal && same(g[i], w[i])
		}
		if equal {
			return ""
		}
	}
	return fmt.Sprintf("backends saw %q, want %q", g, w)
}

func byMember(list []seen) []seen {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b seen) int { return cmp.Compare(a.Member, b.Member) })
	return list
}

// isCheck reports whether s comes from a health check, which the steps leave out.
func (p *player) isCheck(s *seen) bool {
	if len(p.v.Checks) == 0 && !strings.HasPrefix(p.v.ID, "hcheck") {
		return false
	}
	if s.Packet != "" {
		return s.Packet == "CPING"
	}
	_, forwarded := s.header("X-Forwarded-For")
	return !forwarded
}

// checks compares the different health checks of the whole case.
func (p *player) checks() string {
	if len(p.v.Checks) == 0 {
		return ""
	}
	p.all = append(p.all, p.seen.take()...)
	set := map[string]bool{}
	for _, s := range p.all {
		if p.isCheck(&s) && !s.Accepted {
			set[s.text(false)] = true
		}
	}
	var g, w []string
	for s := range set {
		g = append(g, s)
	}
	for _, s := range p.v.Checks {
		w = append(w, p.want(s.text(false)))
	}
	slices.Sort(g)
	slices.Sort(w)
	if !slices.Equal(g, w) {
		return fmt.Sprintf("health checks %q, want %q", g, w)
	}
	return ""
}

var (
	number   = regexp.MustCompile(`AH\d{5}`)
	loopback = regexp.MustCompile(`127\.0\.0\.1:\d+`)
)

// covered are lines of httpd that tell a second time, from another layer, what one
// of the other lines is about; one record of the front is enough.
var covered = map[string][]string{
	"AH00959": {"AH00957"},                         // disabling worker ← attempt to connect failed
	"AH01114": {"AH00957", "AH00941"},              // failed to make connection to backend ←
	"AH00896": {"AH00957", "AH00941"},              // the same for AJP
	"AH01030": {"AH00878", "AH00893", "AH00897"},   // can't receive header ←
	"AH00992": {"AH00878", "AH00893"},              // ajp_ilink_receive failed ←
	"AH01012": {"AH00897"}, "AH01014": {"AH00897"}, // no CPONG ←
	"AH00998": {"AH00893"}, "AH00984": {"AH00893"}, // bad packet ←
	"AH01106": {"AH10124"},                                             // bad header ← header too long
	"AH00898": {"AH01102", "AH01106", "AH01083", "AH00916", "AH10188"}, // error page returned ← its reason
}

// refusals are lines about a rule that did not let a request in. httpd writes them
// also where another rule lets it in all the same.
var refusals = []string{"AH01797", "AH01630"}

// said compares the log: each recorded line needs one of the same number, or of the
// number that stands for it as well; the ports it names must be named.
func (p *player) said(want []string, served bool) string {
	if p.f.Log == nil {
		return ""
	}
	p.logged = append(p.logged, p.f.Log()...)
	for _, w := range want {
		w = p.want(w)
		id := number.FindString(w)
		if id == "" || served && slices.Contains(refusals, id) {
			continue
		}
		ids := append([]string{id}, covered[id]...)
		address := loopback.FindString(w)
		ok := slices.ContainsFunc(p.logged, func(l string) bool {
			return slices.Contains(ids, number.FindString(l)) && (address == "" || strings.Contains(l, address))
		})
		if !ok {
			return fmt.Sprintf("log %q has nothing for %q", p.logged, w)
		}
	}
	return ""
}
