package supervise

import (
	"os/exec"
	"runtime"
	"sync"
)

// The kernel ties "end this child when its parent dies" to the *thread* that started the child, and Go ends threads as it
// likes. So one goroutine, locked to its thread for the life of this process, starts every child.
var spawner = sync.OnceValue(func() chan<- func() {
	jobs := make(chan func())
	go func() {
		runtime.LockOSThread()
		for job := range jobs {
			job()
		}
	}()
	return jobs
})

func start(cmd *exec.Cmd) error {
	result := make(chan error, 1)
	spawner() <- func() { result <- cmd.Start() }
	return <-result
}
