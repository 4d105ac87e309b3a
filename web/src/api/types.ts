import type { components } from "./schema";

type Schemas = components["schemas"];

export type Run = Schemas["Run"];
export type RunState = Run["state"];
export type Summary = Schemas["Summary"];
export type RunEvent = Schemas["Event"];
export type Progress = Schemas["Progress"];
export type NewRun = Schemas["NewRun"];
export type Plan = Schemas["Plan"];
export type Meta = Schemas["Meta"];
export type Connection = Schemas["Connection"];
export type TableHead = Schemas["TableHead"];
export type TableDetail = Schemas["Table"];
export type TableProfile = Schemas["TableProfile"];
export type Column = Schemas["Column"];
export type ResultColumn = Schemas["ResultColumn"];
export type Receipt = Schemas["Receipt"];
export type Fault = Schemas["Fault"];
export type Declined = Schemas["Declined"];
export type Crosscheck = Schemas["Crosscheck"];
export type Snapshot = Schemas["Snapshot"];
export type Revision = Schemas["Revision"];
export type LogLine = Schemas["LogLine"];
export type Finding = Schemas["Finding"];
export type Executor = NonNullable<NewRun["executor"]>;
