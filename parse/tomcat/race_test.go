//go:build race

package tomcat

// The race detector keeps a shadow of all memory, which TestMemory would count.
func init() { raceDetector = true }
