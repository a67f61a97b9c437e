package proxy

import (
	"strings"

	"clowder/parse/model"
	"clowder/runtime/balancer"
)

// ensureWorker makes the worker that a mapping defines, unless it exists.
func (s *server) ensureWorker(r *rule, o balancer.Options) error {
	if r.exclude {
		return nil
	}
	if name, _, ok := balancerName(r.target); ok {
		if s.balancers[name] == nil && !strings.Contains(name, "$") {
			mb := &model.Balancer{}
			mb.Name.V = name
			b, err := balancer.New(mb, o)
			if err != nil {
				return err
			}
			s.balancers[name] = b
			s.order = append(s.order, b)
		}
		return nil
	}
	scheme, authority, path, ok := splitTarget(r.target)
	if !ok {
		return nil
	}
	name := scheme + "://" + authority + path
	if r.re != nil && hasGroup(name) {
		for _, w := range s.workers {
			if w.MatchName() == name && w.Socket == r.socket {
				return nil
			}
		}
	} else if strings.Contains(authority, "$") || s.workerFor(r.target, r.socket) != nil {
		return nil
	}
	m := &model.Member{}
	m.URL.V = name
	if r.socket != "" {
		m.URL.V = "unix:" + r.socket + "|" + name
	}
	w, err := balancer.NewWorker(m, o)
	if err == nil {
		s.workers = append(s.workers, w)
	}
	return err
}

// hasGroup reports whether a worker's name has a reference to a group, as those
// of ProxyPassMatch may.
func hasGroup(name string) bool {
	for i := 0; i+1 < len(name); i++ {
		if name[i] == '$' && name[i+1] >= '0' && name[i+1] <= '9' {
			return true
		}
	}
	return false
}

// addressGroup reports whether the reference is in the host or the port: then the
// worker has no address of its own.
func addressGroup(name string) bool {
	_, authority, _, ok := splitTarget(name)
	return ok && strings.IndexByte(authority, '$') >= 0
}

// workerFor returns the plain worker with the longest name that begins the URL and
// covers its host and port, or nil (ap_proxy_get_worker of proxy_util.c). In names
// with references to groups these stand for any text, but no URL shorter than the
// name matches. socket is that of a unix: mapping.
func (s *server) workerFor(url, socket string) *balancer.Member {
	scheme, authority, path, ok := splitTarget(url)
	if !ok {
		return nil
	}
	u := scheme + "://" + authority + path
	least := len(scheme) + 3 + len(authority)
	var best *balancer.Member
	for _, w := range s.workers {
		name := w.MatchName()
		n := len(name)
		if w.Socket != socket || n > len(u) || n < least || best != nil && n <= len(best.MatchName()) {
			continue
		}
		if hasGroup(name) {
			if !groupMatch(u, name) {
				continue
			}
		} else if u[:n] != name || n == least && n < len(u) && u[n] != '/' {
			continue
		}
		best = w
	}
	return best
}

// groupMatch reports whether u begins with the name, "$n" in it standing for any
// text. The first place that fits is enough, since nothing is asked of the rest.
func groupMatch(u, name string) bool {
	for first := true; ; first = false {
		i := 0
		for i < len(name) && !(name[i] == '$' && i+1 < len(name) && name[i+1] >= '0' && name[i+1] <= '9') {
			i++
		}
		at := strings.Index(u, name[:i])
		if at < 0 || first && at > 0 {
			return false
		}
		if i == len(name) {
			return true
		}
		u, name = u[at+i:], name[i+2:]
	}
}
