package main

import (
	"strconv"
	"strings"

	"github.com/sparkwright/sparkwright/internal/placement"
	"github.com/sparkwright/sparkwright/internal/receipt"
	"github.com/sparkwright/sparkwright/internal/settings"
)

// What places in AWS have where the settings leave it open, and how long they
// take to begin.
const (
	emrDriverCores, emrDriverGB = 4, 16
	emrExecutors                = 3 // that EMR Serverless begins with
	emrStartSeconds             = 60
	lambdaGB                    = 3 // of deploy/
	lambdaStartSeconds          = 10
)

// rates are what places in AWS have and cost, for receipts.
func rates(s *settings.Settings) map[string]receipt.Rate {
	cores, gb := float64(emrDriverCores), float64(emrDriverGB)
	if n := s.Spark.EMRDriverCores; n > 0 {
		cores = float64(n)
	}
	if m := gigabytes(s.Spark.EMRDriverMemory); m > 0 {
		gb = m
	}
	emr := receipt.Rate{
		VCPUs: cores + emrExecutors*float64(s.Spark.ExecutorCores), GB: gb + emrExecutors*gigabytes(s.Spark.ExecutorMemory),
		StartSeconds: emrStartSeconds, Cores: emrExecutors * s.Spark.ExecutorCores,
	}
	emr.PerVCPUHour, emr.PerGBHour = s.Spark.Price(placement.EMR)
	lambda := receipt.Rate{GB: lambdaGB, StartSeconds: lambdaStartSeconds, Cores: 1}
	lambda.PerVCPUHour, lambda.PerGBHour = s.Spark.Price(placement.Lambda)
	return map[string]receipt.Rate{placement.EMR: emr, placement.Lambda: lambda}
}

// gigabytes reads a size like 512m or 4g.
func gigabytes(size string) float64 {
	if size == "" {
		return 0
	}
	n, err := strconv.ParseFloat(size[:len(size)-1], 64)
	if err != nil {
		return 0
	}
	switch {
	case strings.HasSuffix(size, "t"):
		return n * 1024
	case strings.HasSuffix(size, "m"):
		return n / 1024
	default:
		return n
	}
}
