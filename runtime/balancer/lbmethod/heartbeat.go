package lbmethod

// Heartbeat chooses by the free slots that backends announce (mod_lbmethod_heartbeat.c).
// Tomcats announce nothing and clowder has no heartbeat monitor, so no member is
// ever eligible, which is what httpd does without mod_heartmonitor's data.
var Heartbeat = Method{
	Name:   "heartbeat",
	Module: "lbmethod_heartbeat_module",
	Doc:    "Chooses by the free slots that mod_heartbeat backends announce; without such data there is nobody to choose.",
	Pick:   func([]Worker) int { return -1 },
}
