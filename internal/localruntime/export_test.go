package localruntime

// CheckDisk is checkDisk, for a disk that is too small.
var CheckDisk = checkDisk

// JavaVersion is javaVersion, for what the vendors print.
var JavaVersion = javaVersion
