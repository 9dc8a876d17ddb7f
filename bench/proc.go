package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// residentBytes is how much memory a process has resident.
func residentBytes(pid int) (int64, error) {
	return procKiB(pid, "smaps_rollup", "Rss:")
}

// peakBytes is the most it ever had.
func peakBytes(pid int) (int64, error) { return procKiB(pid, "status", "VmHWM:") }

func procKiB(pid int, file, key string) (int64, error) {
	path := fmt.Sprintf("/proc/%d/%s", pid, file)
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	_, rest, found := strings.Cut(string(text), key)
	fields := strings.Fields(rest)
	if !found || len(fields) == 0 {
		return 0, fmt.Errorf("%s has no %s", path, key)
	}
	kib, err := strconv.ParseInt(fields[0], 10, 64)
	return kib << 10, err
}

// ticksPerSecond is USER_HZ, which Linux has fixed at 100 for programs.
const ticksPerSecond = 100

// cpuTime is what a process has used of the processors.
func cpuTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The second field, the name, may hold spaces; it ends with the last bracket.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("unexpected /proc/%d/stat", pid)
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * time.Second / ticksPerSecond, err
}

// hostTimes are ticks of all processors: those that the host of a virtual machine gave to others while somebody here wanted them, and all.
type hostTimes struct{ stolen, all int64 }

// readHostTimes reads the first line of /proc/stat (proc_stat(5)).
func readHostTimes() (hostTimes, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return hostTimes{}, err
	}
	return parseHostTimes(string(text))
}

func parseHostTimes(text string) (t hostTimes, err error) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	const stolen = 8
	if len(fields) <= stolen || fields[0] != "cpu" {
		return t, fmt.Errorf("unexpected /proc/stat: %q", line)
	}
	for i, field := range fields[1 : stolen+1] { // guests' time, which follows, is in user time already
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return t, err
		}
		t.all += ticks
		if i+1 == stolen {
			t.stolen = ticks
		}
	}
	return t, nil
}

// stolenSince is the stolen share of all processors' time, between 0 and 1.
func (t hostTimes) stolenSince(before hostTimes) float64 {
	if t.all == before.all {
		return 0
	}
	return float64(t.stolen-before.stolen) / float64(t.all-before.all)
}

// quiet waits until a process has nothing to do but to keep its sessions alive: for two seconds in a row less than 3 % of a processor, and 1 % more for each thousand sessions, whose
// pings have to be answered.
func quiet(pid, sessions int, timeout time.Duration) error {
	const window = time.Second
	most := 30*time.Millisecond + time.Duration(sessions)*10*time.Microsecond
	deadline := time.Now().Add(timeout)
	before, err := cpuTime(pid)
	for calm := 0; err == nil && calm < 2; {
		time.Sleep(window)
		var now time.Duration
		if now, err = cpuTime(pid); now-before <= most {
			calm++
		} else {
			calm = 0
		}
		before = now
		if time.Now().After(deadline) {
			return fmt.Errorf("process %d is still busy after %s", pid, timeout)
		}
	}
	return err
}

// settleHere gives back what this process does not need, so that it can be measured from outside.
func settleHere() {
	for range 3 {
		debug.FreeOSMemory()
		time.Sleep(100 * time.Millisecond)
	}
}
