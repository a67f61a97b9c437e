// Package nginx writes a front end as nginx.conf for the open-source nginx, 1.22
// and later. What its directives do is taken from nginx's own reference
// (nginx.org/en/docs, the pages of the ngx_http_*_module named in the comments) and
// was tried on nginx 1.22.1.
package nginx

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/render/ledger"
	"clowder/render/plan"
	"clowder/render/target"
)

// Target is the configuration of nginx.
var Target = target.Target{
	Name:   "nginx",
	Doc:    "nginx.conf for nginx 1.22 or later, without anything of NGINX Plus",
	Render: Render,
}

// Render writes one nginx.conf for each front end: at the top when there is one,
// in a folder of its name when there are several. Without any there is an error.
func Render(s *model.Setup, opts target.Options) (*target.Result, error) {
	if len(s.FrontEnds) == 0 {
		return nil, errors.New("there is no httpd in the setup, and only its part of it can be written for nginx")
	}
	l := ledger.New("nginx")
	l.Means(means)
	res := &target.Result{}
	folders := map[string]bool{}
	unknown := plan.UnknownGuards(s)
	for _, p := range plan.All(s) {
		c := newConf(p, l, opts)
		c.unknown = len(unknown) > 0
		name := "nginx.conf"
		if len(s.FrontEnds) > 1 {
			name = path.Join(folder(folders, p.Front.Name.V), name)
		}
		res.Files = append(res.Files, target.File{Name: name, Data: []byte(c.write())})
		p.Mark(l)
	}
	res.Notes = append(l.Notes(s.FrontEnds), plan.UnknownNotes(unknown)...)
	return res, nil
}

// folder makes a name of a folder that no other front end has.
func folder(used map[string]bool, name string) string {
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, cmp.Or(name, "httpd"))
	return unique(used, name)
}

func unique(used map[string]bool, name string) string {
	for try, i := name, 2; ; i++ {
		if !used[try] {
			used[try] = true
			return try
		}
		try = fmt.Sprintf("%s_%d", name, i)
	}
}

// conf is one nginx.conf in the making.
type conf struct {
	plan    *plan.Plan
	l       *ledger.Ledger
	opts    target.Options
	unknown bool // something that may restrict requests is not understood

	names    map[string]bool // upstreams and variables in use
	top      []*dir          // maps, geos and log formats of the http block
	byText   map[string]string
	pools    map[*plan.Pool]*upstream
	ups      []*dir
	dollar   bool // ${dollar} is in use
	regexes  bool // patterns of names instead of wildcards
	longName int  // the longest server name
	numNames int
	formats  map[string]string
	maps     int
}

func newConf(p *plan.Plan, l *ledger.Ledger, opts target.Options) *conf {
	return &conf{plan: p, l: l, opts: opts, names: map[string]bool{}, byText: map[string]string{}, pools: map[*plan.Pool]*upstream{}, formats: map[string]string{}}
}

// lit writes a literal text as a value in which nginx replaces variables. It knows
// no way to write a $ but a variable that holds one.
func (c *conf) lit(s string) string {
	if strings.Contains(s, "$") {
		c.dollar = true
		return strings.ReplaceAll(s, "$", "${dollar}")
	}
	return s
}

// unwritable is a word that no file can hold.
const unwritable = "\x00"

// file makes a file name of the front end absolute, as far as ServerRoot is known.
func (c *conf) file(name string) string {
	if name == "" || strings.HasPrefix(name, "/") || len(name) > 1 && name[1] == ':' {
		return name
	}
	if root := c.plan.Front.ServerRoot.V; root != "" {
		return strings.TrimSuffix(root, "/") + "/" + name
	}
	return name
}

// variable adds a map or geo of the http block, or finds an equal one, and returns
// the name of its variable with the $. When something in it cannot be written the
// name cannot either, and what uses it is refused (see [conf.safe]).
func (c *conf) variable(kind, source, name string, inner ...*dir) string {
	if !writable(source) || !allWritable(inner) {
		return unwritable
	}
	key := kind + " " + source + "\n" + text(inner)
	if v := c.byText[key]; v != "" {
		return v
	}
	v := "$" + unique(c.names, name)
	args := []string{v}
	if source != "" {
		args = []string{source, v}
	}
	c.top = append(c.top, blk(kind, args, inner...))
	c.byText[key] = v
	c.maps++
	return v
}

// write makes the whole file.
func (c *conf) write() string {
	servers := c.servers()
	http := c.common(servers)
	if c.dollar {
		http = append(http, blk("geo", []string{"$dollar"}, d("default", "$")))
	}
	http = append(http, c.top...)
	http = append(http, c.ups...)
	for _, s := range servers {
		http = append(http, s.dir())
	}
	if len(servers) == 0 {
		c.l.Add(target.Note{Loss: target.NeedsPerson, ID: "virtual-hosts", Span: c.plan.Front.At,
			Message: "no Listen line was read, so nothing listens: add the servers"})
	}
	var b strings.Builder
	b.WriteString("# Made from " + comment(where(c.plan.Front.At)) + " by clowder convert --to nginx.\n")
	printDirs(&b, []*dir{d("worker_processes", "auto"), blk("events", nil), blk("http", nil, http...)}, 0, c.opts.Provenance)
	return b.String()
}

func where(at diag.Span) string {
	if at.IsValid() {
		return at.File.Name
	}
	return "a setup"
}

// common is what stands at the top of the http block: where httpd's defaults are
// others than nginx's, and what all servers have in common.
func (c *conf) common(servers []*server) []*dir {
	var out []*dir
	if d := c.tokens(); d != nil {
		out = append(out, d)
	}
	bucket := 64
	for bucket < c.longName+24 {
		bucket *= 2
	}
	if bucket > 64 {
		out = append(out, d("server_names_hash_bucket_size", strconv.Itoa(bucket)))
	}
	if c.numNames > 300 {
		out = append(out, d("server_names_hash_max_size", strconv.Itoa(c.numNames*4)))
	}
	if c.maps > 200 {
		out = append(out, d("variables_hash_max_size", strconv.Itoa(c.maps*8)))
	}
	if slices.ContainsFunc(servers, (*server).servesFiles) {
		out = append(out, d("include", "/etc/nginx/mime.types"))
	}
	if len(servers) == 0 {
		return out
	}
	first := d("client_max_body_size", "0")
	first.note = "As httpd: bodies of any size, and nothing is kept back on the way."
	out = append(out, first, d("underscores_in_headers", "on"))
	if !slices.ContainsFunc(servers, (*server).proxies) {
		return out
	}
	out = append(out, d("proxy_http_version", "1.1"), d("proxy_request_buffering", "off"), d("proxy_buffering", "off"))
	return append(out, hoistServers(servers)...)
}
