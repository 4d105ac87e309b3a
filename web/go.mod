// No Go is here: this keeps what npm installs out of ./...
module github.com/sparkwright/sparkwright/web

go 1.26
