package httpd

import (
	"strconv"
	"strings"

	"clowder/parse/model"
)

// limits handles the bounds on connections and requests: of mpm_common, which
// belong to the whole front end, of core and of mod_reqtimeout. What [check] has
// reported is not taken.
func (l *lowerer) limits(n *Node, s *scope) bool {
	key := n.key()
	if key == "limitrequestbody" {
		if x, err := strconv.ParseUint(strings.TrimPrefix(n.Arg(0), "+"), 10, 63); err == nil && len(n.Args) == 1 {
			s.settings().LimitBody = model.Is(int(x), n.Args[0].Span)
		}
		return true
	}
	if s.sec != nil {
		return false
	}
	srv, v := s.srv, (*model.Int)(nil)
	least := 0
	switch key {
	case "limitrequestline":
		v = &srv.LimitLine
	case "limitrequestfields":
		v = &srv.LimitFields
	case "limitrequestfieldsize":
		v = &srv.LimitFieldSize
	case "maxkeepaliverequests":
		v = &srv.MaxKeepAlive
	case "httpprotocoloptions":
		for _, a := range n.Args {
			srv.HTTPOptions = append(srv.HTTPOptions, model.Is(a.Text, a.Span))
		}
		return true
	case "requestreadtimeout":
		l.readTimeout(n, srv)
		return true
	}
	if srv == l.f.Main {
		switch key {
		case "maxrequestworkers", "maxclients":
			v = &l.f.Workers
		case "serverlimit":
			v = &l.f.Processes
		case "threadsperchild":
			v = &l.f.Threads
		case "listenbacklog":
			v, least = &l.f.Backlog, 1
		case "asyncrequestworkerfactor":
			if x, err := strconv.ParseFloat(n.Arg(0), 64); err == nil && x > 0 && len(n.Args) == 1 {
				l.f.AsyncMore = model.Is(x, n.Args[0].Span)
				return true
			}
		}
	}
	if v == nil {
		return false
	}
	if x := atoi(n.Arg(0)); len(n.Args) == 1 && x >= least {
		*v = model.Is(x, n.Args[0].Span)
	}
	return true
}

// readTimeout takes RequestReadTimeout; a later line counts for the stages it names.
func (l *lowerer) readTimeout(n *Node, srv *model.Server) {
	for _, a := range n.Args {
		name, value, ok := strings.Cut(a.Text, "=")
		if !ok {
			l.bad(a.Span, "`RequestReadTimeout %s`: it must be handshake=, header= or body= and a time", a.Text)
			return
		}
		if srv.ReadTime == nil {
			srv.ReadTime = &model.ReadTimeout{At: n.Span}
		}
		var v *model.String
		switch strings.ToLower(name) {
		case "handshake":
			v = &srv.ReadTime.Handshake
		case "header":
			v = &srv.ReadTime.Header
		case "body":
			v = &srv.ReadTime.Body
		default:
			l.bad(a.Span, "`RequestReadTimeout %s`: it must be handshake=, header= or body= and a time", a.Text)
			continue
		}
		if _, err := model.ParseReadStage(value); err != nil {
			l.bad(a.Span, "`RequestReadTimeout %s`: %v", a.Text, err)
			continue
		}
		*v = model.Is(value, a.Span)
	}
}
