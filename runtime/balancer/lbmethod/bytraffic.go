package lbmethod

// ByTraffic shares bytes out by load factor (mod_lbmethod_bytraffic.c).
var ByTraffic = Method{
	Name:   "bytraffic",
	Module: "lbmethod_bytraffic_module",
	Doc:    "The member that moved the fewest bytes for its loadfactor gets the request.",
	Pick: func(ws []Worker) int {
		return frame(ws, func(c, best *Counters) bool {
			return best == nil || traffic(c) < traffic(best)
		})
	},
}

// traffic divides each count on its own, as httpd does.
func traffic(c *Counters) uint64 {
	f := uint64(max(c.Factor, 1))
	return c.Sent/f + c.Received/f
}
