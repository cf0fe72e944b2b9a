package provision

import "fmt"

// CheckResult is the result of a [Check].
type CheckResult string

// What a check has found. Unknown means that it was not allowed to look.
const (
	CheckOK      CheckResult = "ok"
	CheckUnknown CheckResult = "unknown"
	CheckWarning CheckResult = "warning"
	CheckFailed  CheckResult = "failed"
)

// Check is one thing that was looked at before the first customer comes.
type Check struct {
	Subject string      `json:"subject"` // redis, backend, charts, or the name of a cluster
	Result  CheckResult `json:"result"`
	Detail  string      `json:"detail"`           // what was found
	Remedy  string      `json:"remedy,omitempty"` // what to do about it
}

// Checked is a check that passed.
func Checked(subject, format string, args ...any) Check {
	return Check{Subject: subject, Result: CheckOK, Detail: fmt.Sprintf(format, args...)}
}

// Unchecked is a check that could not be made.
func Unchecked(subject, format string, args ...any) Check {
	return Check{Subject: subject, Result: CheckUnknown, Detail: fmt.Sprintf(format, args...)}
}

// Warned is a check that found something that works, and not for long.
func Warned(subject, remedy, format string, args ...any) Check {
	return Check{Subject: subject, Result: CheckWarning, Remedy: remedy, Detail: fmt.Sprintf(format, args...)}
}

// FailedCheck is a check that found what will make stores fail.
func FailedCheck(subject, remedy, format string, args ...any) Check {
	return Check{Subject: subject, Result: CheckFailed, Remedy: remedy, Detail: fmt.Sprintf(format, args...)}
}
