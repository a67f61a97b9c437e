package model

// InferHosts gives each node without a declared machine the host of the first
// member that leads to it, as an inferred value.
func (s *Setup) InferHosts() {
	for _, l := range s.Links() {
		if l.Node != nil && !l.Node.Host.IsSet() && l.Host != "" {
			l.Node.Host = Infer(l.Host, l.Member.URL.Span)
		}
	}
}
