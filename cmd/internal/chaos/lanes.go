package main

// lanes are the faults that go on beside each other.
func (t *trouble) lanes() []lane {
	if t.options.aim == "none" {
		return nil
	}
	return []lane{t.workerFaults(), t.serviceFaults(), t.outsideFaults()}
}
