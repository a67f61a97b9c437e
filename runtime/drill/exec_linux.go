package drill

import (
	"os/exec"
	"syscall"
)

// endWithParent has the kernel kill the process when the drill itself ends, so
// that an interrupted drill leaves nothing running.
func endWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
