package front

// Retire lets the connections come to their end without cutting one off: each gets
// its next answer with Connection: close, and one that stays idle ends with
// IdleTimeout. It is for a server whose listener another one has taken over.
func (s *Server) Retire() { s.retired.Store(true) }
