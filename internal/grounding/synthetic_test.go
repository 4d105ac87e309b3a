package grounding_test

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// domains are schemas of a large company's database, and what their tables are
// about. The first thing of each is what the others belong to.
var domains = []struct{ schema, things string }{
	{"sales", "customer, sales order, quotation, price list, discount campaign, sales region, sales target, customer contract, loyalty card, complaint"},
	{"purchasing", "supplier, purchase order, tender, supplier rating, delivery note, goods receipt, purchase requisition, framework agreement, supplier invoice, material"},
	{"hr", "employee, leave request, job position, department, salary payment, training course, applicant, performance review, absence, work schedule"},
	{"finance", "ledger account, journal entry, cost center, budget plan, bank statement, exchange rate, fixed asset, depreciation, tax return, fiscal period"},
	{"logistics", "warehouse, shipment, pallet, delivery route, carrier, truck, driver, storage bin, stock movement, customs declaration"},
	{"production", "machine, work order, bill of material, production line, quality inspection, scrap, maintenance job, tool, shift, batch"},
	{"marketing", "newsletter, advertising campaign, lead, web visit, survey, survey answer, trade fair, banner, audience segment, coupon"},
	{"support", "ticket, support agent, knowledge article, escalation, chat session, call recording, satisfaction score, service contract, spare part, warranty claim"},
	{"clinic", "patient, appointment, physician, diagnosis, prescription, laboratory test, hospital ward, surgery, insurance policy, vaccination"},
	{"school", "student, lecture, examination, teacher, classroom, enrolment, scholarship, library loan, homework, timetable"},
	{"airline", "flight, passenger, boarding pass, aircraft, airport, crew member, baggage, seat reservation, frequent flyer, catering meal"},
	{"bank", "loan, savings account, credit card, card transaction, branch office, standing order, mortgage, cheque, currency deposit, fraud alert"},
	{"realestate", "property, tenant, rental agreement, building, apartment, utility meter, meter reading, parking space, repair request, inspection visit"},
	{"energy", "power plant, wind turbine, grid node, outage, consumption record, tariff, solar panel, substation, emission report, energy trade"},
	{"telecom", "subscriber, phone call, data session, mobile tower, sim card, tariff plan, roaming partner, text message, network fault, porting request"},
	{"media", "film, actor, screening, cinema, streaming session, episode, playlist, review comment, director, licence deal"},
	{"sport", "athlete, match, stadium, season ticket, referee, league, injury, transfer, training session, sponsor"},
	{"farm", "field, harvest, crop, tractor, fertilizer, irrigation, livestock, veterinary visit, weather station, seed lot"},
	{"public", "citizen, passport, vehicle registration, election, polling station, permit, court case, fine, grant application, complaint letter"},
	{"research", "experiment, sample, researcher, publication, instrument, measurement, funding grant, dataset, reagent, conference talk"},
}

// kinds are the tables that there are of each thing.
var kinds = []string{"", "item", "type", "status log", "note", "archive", "staging", "backup 2019", "daily summary", "audit"}

// short are abbreviations as databases have them.
var short = map[string]string{
	"customer": "cust", "order": "ord", "quantity": "qty", "amount": "amt", "department": "dept", "employee": "emp", "account": "acct",
	"invoice": "inv", "payment": "pmt", "number": "num", "transaction": "trx", "production": "prod", "maintenance": "maint", "quality": "qual",
	"purchase": "purch", "supplier": "supp", "schedule": "sched", "machine": "mach", "request": "req", "warehouse": "whse", "shipment": "shpmt",
	"patient": "pat", "appointment": "appt", "student": "stud", "examination": "exam", "passenger": "pax", "reservation": "resv",
	"agreement": "agrmt", "apartment": "apt", "building": "bldg", "subscriber": "subscr", "message": "msg", "network": "netw", "summary": "sum",
	"status": "stat", "description": "descr", "duration": "dur", "weight": "wgt", "registration": "reg", "measurement": "meas", "category": "cat",
}

var measures = []string{"amount", "quantity", "weight", "duration", "discount", "tax", "distance", "score", "volume", "temperature", "interest", "penalty", "margin", "capacity", "deposit"}

var (
	attributes = []string{"color", "priority", "language", "channel", "grade", "shape", "brand", "currency", "season", "origin"}
	cities     = []string{"Lisbon", "Kyoto", "Nairobi", "Winnipeg", "Tromso", "Cusco", "Hobart", "Galway", "Aarhus", "Bergamo"}
	states     = []string{"draft", "approved", "rejected", "on hold", "completed"}
)

// asked is a question and what it needs.
type question struct {
	text   string
	tables []string // views
	column []string // view.column
}

type builder struct {
	random    *rand.Rand
	catalog   *sparkwright.Catalog
	questions []question
}

// synthetic is a catalog of 2,000 tables, and questions about it. Half of the
// schemas write names out, the others shorten them; half of what is shortened
// has a comment in words.
func synthetic() (*sparkwright.Catalog, []question) {
	b := &builder{random: rand.New(rand.NewPCG(7, 11)), catalog: &sparkwright.Catalog{}}
	for i, d := range domains {
		things := strings.Split(d.things, ", ")
		for k, thing := range things {
			for n, kind := range kinds {
				b.table(i, d.schema, things, k, n, strings.TrimSpace(thing+" "+kind))
			}
		}
		b.ask(i, things)
	}
	return b.catalog, b.questions
}

// naming writes a phrase as a name, in the style of a schema.
func naming(domain int, phrase string) string {
	words := strings.Fields(phrase)
	if domain%2 == 1 {
		for i, w := range words {
			if s := short[w]; s != "" {
				words[i] = s
			}
		}
	}
	switch domain % 4 {
	case 2: // camel case
		for i := 1; i < len(words); i++ {
			words[i] = strings.ToUpper(words[i][:1]) + words[i][1:]
		}
		return strings.Join(words, "")
	case 3:
		return "t_" + strings.Join(words, "_")
	default:
		return strings.Join(words, "_")
	}
}

func plural(word string) string {
	switch {
	case strings.HasSuffix(word, "y") && !strings.HasSuffix(word, "ay") && !strings.HasSuffix(word, "ey"):
		return word[:len(word)-1] + "ies"
	case strings.HasSuffix(word, "s"), strings.HasSuffix(word, "ch"), strings.HasSuffix(word, "sh"):
		return word + "es"
	default:
		return word + "s"
	}
}

// measureOf is what a thing is measured by; things of a schema differ.
func measureOf(domain, thing int) string { return measures[(domain*3+thing)%len(measures)] }

func attributeOf(domain, thing int) string { return attributes[(domain+thing)%len(attributes)] }

func (b *builder) table(domain int, schema string, things []string, thing, kind int, phrase string) {
	column := func(words, pg, base string) sparkwright.Column {
		return sparkwright.Column{
			Name: naming(domain, words), Type: pg, BaseType: base, Nullable: true,
			Stats: &sparkwright.ColumnStats{Distinct: 1000, NullFraction: b.random.Float64() / 5},
		}
	}
	t := sparkwright.Table{
		Connection: "big", Database: "big", Schema: schema, Name: naming(domain, phrase), Kind: sparkwright.KindTable,
		RowEstimate: int64(b.random.IntN(1e6)), PrimaryKey: []string{"id"}, Columns: []sparkwright.Column{{Name: "id", Type: "bigint", BaseType: "int8"}},
	}
	t.View = schema + "_" + t.Name
	if domain%2 == 1 && thing%2 == 0 && kind < 5 || domain%2 == 0 && b.random.IntN(3) == 0 {
		t.Comment = "Every " + phrase + " of the " + schema + " system, one row each."
	}
	refer := func(words, to string) {
		t.Columns = append(t.Columns, column(words+" id", "bigint", "int8"))
		key := t.Columns[len(t.Columns)-1].Name
		t.ForeignKeys = append(t.ForeignKeys, sparkwright.ForeignKey{
			Name: "fk_" + key, Columns: []string{key}, RefSchema: schema, RefTable: naming(domain, to), RefColumns: []string{"id"},
		})
	}
	switch kinds[kind] {
	case "", "archive", "staging", "backup 2019":
		t.Columns = append(t.Columns, column("name", "text", "text"), column(measureOf(domain, thing), "numeric(12,2)", "numeric"),
			column(attributeOf(domain, thing), "text", "text"), column("created at", "timestamp with time zone", "timestamptz"))
		state := column("status", "state_of_"+schema, "state_of_"+schema)
		state.Enum = states
		t.Columns = append(t.Columns, state)
		if thing == 0 { // what the others belong to is somewhere
			city := column("city", "text", "text")
			for _, c := range cities {
				city.Stats.MostCommon = append(city.Stats.MostCommon, sparkwright.ValueCount{Value: c + " " + schema, Fraction: 0.1})
			}
			t.Columns = append(t.Columns, city)
		}
		if kind == 0 {
			refer(things[thing]+" type", things[thing]+" type")
		}
		if kind == 0 && thing > 0 {
			refer(things[(thing-1)/2], things[(thing-1)/2])
		}
	case "item", "status log", "note", "audit":
		refer(things[thing], things[thing])
		t.Columns = append(t.Columns, column("line number", "integer", "int4"), column("quantity", "numeric(12,2)", "numeric"),
			column("changed by", "text", "text"), column("description", "text", "text"))
	default:
		t.Columns = append(t.Columns, column("name", "text", "text"), column("code", "text", "text"), column("description", "text", "text"))
	}
	for i := range 4 { // what every table of such a system has
		t.Columns = append(t.Columns, column([]string{"created by", "updated at", "source system", "row version"}[i], "text", "text"))
	}
	b.catalog.Tables = append(b.catalog.Tables, t)
}

// ask makes questions about the things of a schema.
func (b *builder) ask(domain int, things []string) {
	schema := domains[domain].schema
	view := func(phrase string) string { return schema + "_" + naming(domain, phrase) }
	add := func(text string, columns []string, tables ...string) {
		q := question{text: text}
		for _, t := range tables {
			q.tables = append(q.tables, view(t))
		}
		q.column = columns
		b.questions = append(b.questions, q)
	}
	col := func(thing, column string) string { return view(thing) + "." + naming(domain, column) }
	for k := 1; k < len(things); k++ {
		thing, parent, measure := things[k], things[(k-1)/2], measureOf(domain, k)
		switch k % 5 {
		case 0:
			add(fmt.Sprintf("What is the total %s of %s per %s?", measure, plural(thing), parent), []string{col(thing, measure), col(parent, "name")}, thing, parent)
		case 1:
			add(fmt.Sprintf("average %s by %s type", measure, thing), []string{col(thing, measure), col(thing+" type", "name")}, thing, thing+" type")
		case 2:
			add(fmt.Sprintf("How many %s are on hold, by %s?", plural(thing), attributeOf(domain, k)), []string{col(thing, "status"), col(thing, attributeOf(domain, k))}, thing)
		case 3:
			add(fmt.Sprintf("Sum of the quantity of %s items for each %s, largest first", thing, parent), []string{col(thing+" item", "quantity")}, thing+" item", thing, parent)
		case 4:
			top := things[(((k-1)/2)-1)/2] // two joins up
			add(fmt.Sprintf("which %s has the most %s in 2024?", top, plural(thing)), []string{col(thing, "created at")}, thing, parent, top)
		}
		if k == 1 || k == 2 { // a value that only the root has
			city := cities[(domain+k)%len(cities)]
			add(fmt.Sprintf("%s of %s in %s %s", measure, plural(thing), city, schema), []string{col(things[0], "city"), col(thing, measure)}, thing, things[0])
		}
	}
}
