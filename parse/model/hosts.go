package model

// InferHosts gives each node without a declared machine the host of the first
// member that leads to it, as an inferred value. A member whose port is one of the
// node's connectors tells more than one that only names its machine.
func (s *Setup) InferHosts() {
	links := s.Links()
	for _, exact := range []bool{true, false} {
		for _, l := range links {
			if l.Node != nil && !l.Node.Host.IsSet() && l.Host != "" && (l.Connector != nil || !exact) {
				l.Node.Host = Infer(l.Host, l.Member.URL.Span)
			}
		}
	}
}
