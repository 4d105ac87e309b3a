package settings

import (
	"strconv"
	"strings"
)

// Price is what a model costs, in US dollars for a million tokens.
type Price struct {
	Model   string // as runs show it; a * at the end stands for any rest
	In, Out float64
}

const pricesMust = "must be like anthropic:claude-*=3/15, openai:gpt-4.1-mini=0.4/1.6: dollars for a million tokens in and out"

func checkPrices(value any) string {
	text, _ := value.(string)
	if _, ok := ParsePrices(text); !ok {
		return pricesMust
	}
	return checkText(value)
}

func checkPlacePrices(value any) string {
	text, _ := value.(string)
	list, ok := ParsePrices(text)
	for _, p := range list {
		ok = ok && (p.Model == "emrserverless" || p.Model == "lambda")
	}
	if !ok {
		return "must be like emrserverless=0.052624/0.0057785, lambda=0/0.06: dollars for an hour of a vCPU and of a GB"
	}
	return checkText(value)
}

// Price is what a place in AWS costs, in US dollars for an hour of a vCPU and of
// a GB; 0 when it is not known.
func (s Spark) Price(place string) (vcpu, gb float64) {
	list, _ := ParsePrices(s.Prices)
	for _, p := range list {
		if p.Model == place {
			return p.In, p.Out
		}
	}
	return 0, 0
}

// ParsePrices reads the form of model.prices: MODEL=IN/OUT, separated by
// commas.
func ParsePrices(text string) (list []Price, ok bool) {
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		i := strings.LastIndexByte(item, '=')
		if i <= 0 {
			return nil, false
		}
		in, out, found := strings.Cut(item[i+1:], "/")
		p := Price{Model: strings.TrimSpace(item[:i])}
		var errIn, errOut error
		p.In, errIn = strconv.ParseFloat(strings.TrimSpace(in), 64)
		p.Out, errOut = strconv.ParseFloat(strings.TrimSpace(out), 64)
		if !found || errIn != nil || errOut != nil || !(p.In >= 0 && p.In < 1e6) || !(p.Out >= 0 && p.Out < 1e6) {
			return nil, false
		}
		list = append(list, p)
	}
	return list, true
}

// Cost is what so many tokens of a model cost, in US dollars; 0 when no price
// is known.
func (m Model) Cost(model string, in, out int) float64 {
	list, _ := ParsePrices(m.Prices)
	for _, p := range list {
		prefix, open := strings.CutSuffix(p.Model, "*")
		if p.Model == model || open && strings.HasPrefix(model, prefix) {
			return (float64(in)*p.In + float64(out)*p.Out) / 1e6
		}
	}
	return 0
}
