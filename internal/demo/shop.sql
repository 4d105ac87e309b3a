-- The demo data "shop". Each value follows from its row's number alone: it is
-- the same on every machine and at every time. Steps begin with "-- step:".

-- step: Creating the tables
CREATE SCHEMA sales;
COMMENT ON SCHEMA sales IS 'Products, orders and everything that follows from them';
CREATE TYPE crm.segment AS ENUM ('consumer', 'business', 'enterprise');
CREATE TYPE sales.order_status AS ENUM ('pending', 'paid', 'shipped', 'delivered', 'cancelled', 'returned');
-- u is evenly spread over 0 <= u < 1.
CREATE FUNCTION pg_temp.u(i bigint, seed bigint) RETURNS double precision LANGUAGE sql IMMUTABLE
    AS 'SELECT (hashint8extended(i, seed) & 9007199254740991)::double precision / 9007199254740992.0';
-- Skew comes from products of u: unlike power() they are the same on every
-- processor. after adds a time to a moment, but never passes the end of 2025.
CREATE FUNCTION pg_temp.after(at timestamptz, d interval) RETURNS timestamptz LANGUAGE sql STABLE
    AS $$SELECT least(at + d, date_trunc('second', at + (timestamptz '2025-12-31 23:59:59+00' - at) / 2))$$;
CREATE FUNCTION pg_temp.pick(list text[], u double precision) RETURNS text LANGUAGE sql IMMUTABLE
    AS 'SELECT list[1 + floor(u * cardinality(list))::integer]';
CREATE FUNCTION pg_temp.uuid(i bigint, seed bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
    AS 'SELECT (lpad(to_hex(hashint8extended(i, seed)), 16, ''0'') || lpad(to_hex(hashint8extended(i, seed + 1)), 16, ''0''))::uuid';

CREATE TABLE crm.countries (
    code     char(2) NOT NULL,
    name     text NOT NULL,
    region   text NOT NULL,
    currency char(3) NOT NULL
);
CREATE TABLE crm.customers (
    customer_id   integer NOT NULL,
    customer_uuid uuid NOT NULL,
    first_name    text NOT NULL,
    last_name     text NOT NULL,
    email         text NOT NULL,
    country       text NOT NULL,
    segment       crm.segment NOT NULL,
    birth_date    date,
    phone         text,
    newsletter    boolean NOT NULL,
    preferences   jsonb NOT NULL,
    created_at    timestamptz NOT NULL
);
CREATE TABLE crm.subscriptions (
    subscription_id integer NOT NULL,
    customer_id     integer NOT NULL,
    plan            text NOT NULL,
    status          text NOT NULL,
    monthly_price   numeric(12,2) NOT NULL,
    started_at      timestamptz NOT NULL,
    closed_at       timestamptz
);
CREATE TABLE crm.agents (
    agent_id integer NOT NULL,
    name     text NOT NULL,
    team     text NOT NULL,
    hired_on date NOT NULL
);
CREATE TABLE crm.tickets (
    ticket_id    integer NOT NULL,
    customer_id  integer NOT NULL,
    order_id     bigint,
    agent_id     integer,
    category     text NOT NULL,
    priority     text NOT NULL,
    status       text NOT NULL,
    satisfaction smallint,
    opened_at    timestamptz NOT NULL,
    resolved_at  timestamptz
);
CREATE TABLE sales.categories (
    category_id integer NOT NULL,
    name        text NOT NULL,
    parent_id   integer
);
CREATE TABLE sales.suppliers (
    supplier_id integer NOT NULL,
    name        text NOT NULL,
    country     text NOT NULL,
    rating      numeric(3,1),
    active      boolean NOT NULL,
    since       date NOT NULL
);
CREATE TABLE sales.products (
    product_id      integer NOT NULL,
    sku             text NOT NULL,
    name            text NOT NULL,
    category_id     integer NOT NULL,
    supplier_id     integer NOT NULL,
    price           numeric(12,2) NOT NULL,
    cost            numeric(12,2) NOT NULL,
    weight_kg       double precision NOT NULL,
    attributes      jsonb NOT NULL,
    launched_on     date NOT NULL,
    discontinued_on date
);
CREATE TABLE sales.orders (
    order_id     bigint NOT NULL,
    customer_id  integer NOT NULL,
    status       sales.order_status NOT NULL,
    channel      text NOT NULL,
    coupon       text,
    shipping_fee numeric(12,2) NOT NULL,
    created_at   timestamptz NOT NULL
);
CREATE TABLE sales.order_items (
    order_item_id bigint NOT NULL,
    order_id      bigint NOT NULL,
    product_id    integer NOT NULL,
    quantity      integer NOT NULL,
    unit_price    numeric(12,2) NOT NULL,
    discount      numeric(4,2) NOT NULL
);
CREATE TABLE sales.payments (
    payment_id bigint NOT NULL,
    order_id   bigint NOT NULL,
    method     text NOT NULL,
    amount     numeric(12,2) NOT NULL,
    succeeded  boolean NOT NULL,
    paid_at    timestamptz NOT NULL
);
CREATE TABLE sales.shipments (
    shipment_id  bigint NOT NULL,
    order_id     bigint NOT NULL,
    carrier      text NOT NULL,
    warehouse    text NOT NULL,
    cost         numeric(12,2) NOT NULL,
    shipped_at   timestamptz NOT NULL,
    delivered_at timestamptz
);
CREATE TABLE sales.returns (
    return_id     integer NOT NULL,
    order_item_id bigint NOT NULL,
    reason        text NOT NULL,
    refund        numeric(12,2) NOT NULL,
    returned_at   timestamptz NOT NULL
);
CREATE TABLE sales.reviews (
    review_id     integer NOT NULL,
    product_id    integer NOT NULL,
    customer_id   integer NOT NULL,
    rating        smallint NOT NULL,
    title         text,
    helpful_votes integer NOT NULL,
    created_at    timestamptz NOT NULL
);
CREATE TABLE sales.inventory (
    product_id integer NOT NULL,
    warehouse  text NOT NULL,
    stock      integer NOT NULL,
    counted_on date NOT NULL
);
CREATE TABLE sales.events (
    event_id    bigint NOT NULL,
    session_id  uuid NOT NULL,
    customer_id integer,
    product_id  integer,
    kind        text NOT NULL,
    device      text NOT NULL,
    properties  jsonb NOT NULL,
    occurred_at timestamptz NOT NULL
) PARTITION BY RANGE (occurred_at);
CREATE TABLE sales.events_2023 PARTITION OF sales.events FOR VALUES FROM ('2023-01-01 00:00+00') TO ('2024-01-01 00:00+00');
CREATE TABLE sales.events_2024 PARTITION OF sales.events FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2025-01-01 00:00+00');
CREATE TABLE sales.events_2025 PARTITION OF sales.events FOR VALUES FROM ('2025-01-01 00:00+00') TO ('2026-01-01 00:00+00');

COMMENT ON TABLE crm.countries IS 'Countries that the shop delivers to';
COMMENT ON COLUMN crm.countries.code IS 'ISO 3166 code of the country';
COMMENT ON COLUMN crm.countries.name IS 'English name of the country';
COMMENT ON COLUMN crm.countries.region IS 'Part of the world: Europe, Americas, Asia Pacific';
COMMENT ON COLUMN crm.countries.currency IS 'ISO 4217 currency code';
COMMENT ON TABLE crm.customers IS 'People who have registered with the shop';
COMMENT ON COLUMN crm.customers.customer_id IS 'Number of the customer';
COMMENT ON COLUMN crm.customers.customer_uuid IS 'Identifier of the customer in other systems';
COMMENT ON COLUMN crm.customers.first_name IS 'Given name';
COMMENT ON COLUMN crm.customers.last_name IS 'Family name';
COMMENT ON COLUMN crm.customers.email IS 'E-mail address';
COMMENT ON COLUMN crm.customers.country IS 'Country where the customer lives';
COMMENT ON COLUMN crm.customers.segment IS 'Kind of customer: consumer, business or enterprise';
COMMENT ON COLUMN crm.customers.birth_date IS 'Date of birth, when known';
COMMENT ON COLUMN crm.customers.phone IS 'Telephone number, when known';
COMMENT ON COLUMN crm.customers.newsletter IS 'Whether the customer gets the newsletter';
COMMENT ON COLUMN crm.customers.preferences IS 'Language and theme that the customer has chosen';
COMMENT ON COLUMN crm.customers.created_at IS 'When the customer registered';
COMMENT ON TABLE crm.subscriptions IS 'Paid memberships of customers';
COMMENT ON COLUMN crm.subscriptions.subscription_id IS 'Number of the subscription';
COMMENT ON COLUMN crm.subscriptions.customer_id IS 'Customer who has subscribed';
COMMENT ON COLUMN crm.subscriptions.plan IS 'Plan: basic, plus or premium';
COMMENT ON COLUMN crm.subscriptions.status IS 'Status: active, paused or cancelled';
COMMENT ON COLUMN crm.subscriptions.monthly_price IS 'Price per month';
COMMENT ON COLUMN crm.subscriptions.started_at IS 'When the subscription started';
COMMENT ON COLUMN crm.subscriptions.closed_at IS 'When the subscription was cancelled; empty while it lasts';
COMMENT ON TABLE crm.agents IS 'Support staff who work on tickets';
COMMENT ON COLUMN crm.agents.agent_id IS 'Number of the agent';
COMMENT ON COLUMN crm.agents.name IS 'Name of the agent';
COMMENT ON COLUMN crm.agents.team IS 'Team: first line, second line, billing';
COMMENT ON COLUMN crm.agents.hired_on IS 'First working day';
COMMENT ON TABLE crm.tickets IS 'Requests of customers to support';
COMMENT ON COLUMN crm.tickets.ticket_id IS 'Number of the ticket';
COMMENT ON COLUMN crm.tickets.customer_id IS 'Customer who asks';
COMMENT ON COLUMN crm.tickets.order_id IS 'Order that it is about, if any';
COMMENT ON COLUMN crm.tickets.agent_id IS 'Agent who works on it; empty while nobody does';
COMMENT ON COLUMN crm.tickets.category IS 'Topic: delivery, payment, product, account';
COMMENT ON COLUMN crm.tickets.priority IS 'Priority: low, normal, high, urgent';
COMMENT ON COLUMN crm.tickets.status IS 'Status: open, pending, resolved';
COMMENT ON COLUMN crm.tickets.satisfaction IS 'Mark that the customer gave, 1 to 5';
COMMENT ON COLUMN crm.tickets.opened_at IS 'When the ticket was opened';
COMMENT ON COLUMN crm.tickets.resolved_at IS 'When the ticket was resolved';
COMMENT ON TABLE sales.categories IS 'Tree of product categories';
COMMENT ON COLUMN sales.categories.category_id IS 'Number of the category';
COMMENT ON COLUMN sales.categories.name IS 'Name of the category';
COMMENT ON COLUMN sales.categories.parent_id IS 'Category above; empty at the top';
COMMENT ON TABLE sales.suppliers IS 'Companies that products are bought from';
COMMENT ON COLUMN sales.suppliers.supplier_id IS 'Number of the supplier';
COMMENT ON COLUMN sales.suppliers.name IS 'Name of the supplier';
COMMENT ON COLUMN sales.suppliers.country IS 'Country of the supplier';
COMMENT ON COLUMN sales.suppliers.rating IS 'Rating of the supplier, 0 to 10, when rated';
COMMENT ON COLUMN sales.suppliers.active IS 'Whether products are still bought there';
COMMENT ON COLUMN sales.suppliers.since IS 'First day of business with the supplier';
COMMENT ON TABLE sales.products IS 'Things that the shop sells';
COMMENT ON COLUMN sales.products.product_id IS 'Number of the product';
COMMENT ON COLUMN sales.products.sku IS 'Stock keeping unit';
COMMENT ON COLUMN sales.products.name IS 'Name of the product';
COMMENT ON COLUMN sales.products.category_id IS 'Category of the product';
COMMENT ON COLUMN sales.products.supplier_id IS 'Supplier of the product';
COMMENT ON COLUMN sales.products.price IS 'List price';
COMMENT ON COLUMN sales.products.cost IS 'Purchase price';
COMMENT ON COLUMN sales.products.weight_kg IS 'Weight in kilograms';
COMMENT ON COLUMN sales.products.attributes IS 'Color and material';
COMMENT ON COLUMN sales.products.launched_on IS 'First day on sale';
COMMENT ON COLUMN sales.products.discontinued_on IS 'Last day on sale; empty while it is sold';
COMMENT ON TABLE sales.orders IS 'Orders of customers';
COMMENT ON COLUMN sales.orders.order_id IS 'Number of the order';
COMMENT ON COLUMN sales.orders.customer_id IS 'Customer who ordered';
COMMENT ON COLUMN sales.orders.status IS 'Status of the order';
COMMENT ON COLUMN sales.orders.channel IS 'Where it was ordered: web, mobile, phone, store';
COMMENT ON COLUMN sales.orders.coupon IS 'Coupon code, if one was used';
COMMENT ON COLUMN sales.orders.shipping_fee IS 'Fee for the delivery';
COMMENT ON COLUMN sales.orders.created_at IS 'When the order was placed';
COMMENT ON TABLE sales.order_items IS 'Lines of orders: which product, how many, at what price';
COMMENT ON COLUMN sales.order_items.order_item_id IS 'Number of the order line';
COMMENT ON COLUMN sales.order_items.order_id IS 'Order that the line belongs to';
COMMENT ON COLUMN sales.order_items.product_id IS 'Product that was ordered';
COMMENT ON COLUMN sales.order_items.quantity IS 'How many were ordered';
COMMENT ON COLUMN sales.order_items.unit_price IS 'Price of one';
COMMENT ON COLUMN sales.order_items.discount IS 'Discount as a share of the price, 0 to 1';
COMMENT ON TABLE sales.payments IS 'Payments for orders';
COMMENT ON COLUMN sales.payments.payment_id IS 'Number of the payment';
COMMENT ON COLUMN sales.payments.order_id IS 'Order that is paid';
COMMENT ON COLUMN sales.payments.method IS 'Method: card, paypal, invoice, gift card';
COMMENT ON COLUMN sales.payments.amount IS 'Amount of the payment';
COMMENT ON COLUMN sales.payments.succeeded IS 'Whether the payment went through';
COMMENT ON COLUMN sales.payments.paid_at IS 'When the payment was made';
COMMENT ON TABLE sales.shipments IS 'Parcels sent for orders';
COMMENT ON COLUMN sales.shipments.shipment_id IS 'Number of the shipment';
COMMENT ON COLUMN sales.shipments.order_id IS 'Order that is shipped';
COMMENT ON COLUMN sales.shipments.carrier IS 'Company that carries the parcel';
COMMENT ON COLUMN sales.shipments.warehouse IS 'Warehouse that the parcel left from';
COMMENT ON COLUMN sales.shipments.cost IS 'What the carrier charges';
COMMENT ON COLUMN sales.shipments.shipped_at IS 'When the parcel left';
COMMENT ON COLUMN sales.shipments.delivered_at IS 'When the parcel arrived; empty while it is on its way';
COMMENT ON TABLE sales.returns IS 'Order lines that customers sent back';
COMMENT ON COLUMN sales.returns.return_id IS 'Number of the return';
COMMENT ON COLUMN sales.returns.order_item_id IS 'Order line that came back';
COMMENT ON COLUMN sales.returns.reason IS 'Reason: damaged, wrong item, too late, not wanted';
COMMENT ON COLUMN sales.returns.refund IS 'Money given back';
COMMENT ON COLUMN sales.returns.returned_at IS 'When it came back';
COMMENT ON TABLE sales.reviews IS 'What customers say about products';
COMMENT ON COLUMN sales.reviews.review_id IS 'Number of the review';
COMMENT ON COLUMN sales.reviews.product_id IS 'Product that is reviewed';
COMMENT ON COLUMN sales.reviews.customer_id IS 'Customer who wrote it';
COMMENT ON COLUMN sales.reviews.rating IS 'Stars, 1 to 5';
COMMENT ON COLUMN sales.reviews.title IS 'Headline, if any';
COMMENT ON COLUMN sales.reviews.helpful_votes IS 'How many found it helpful';
COMMENT ON COLUMN sales.reviews.created_at IS 'When it was written';
COMMENT ON TABLE sales.inventory IS 'Stock of products in the warehouses';
COMMENT ON COLUMN sales.inventory.product_id IS 'Product in stock';
COMMENT ON COLUMN sales.inventory.warehouse IS 'Name of the warehouse';
COMMENT ON COLUMN sales.inventory.stock IS 'Pieces in stock';
COMMENT ON COLUMN sales.inventory.counted_on IS 'Day of the last count';
COMMENT ON TABLE sales.events IS 'Visits to the web shop, partitioned by year';
COMMENT ON COLUMN sales.events.event_id IS 'Number of the event';
COMMENT ON COLUMN sales.events.session_id IS 'Visit that the event belongs to';
COMMENT ON COLUMN sales.events.customer_id IS 'Customer, when logged in';
COMMENT ON COLUMN sales.events.product_id IS 'Product that was looked at, if any';
COMMENT ON COLUMN sales.events.kind IS 'What happened: view, search, cart, checkout';
COMMENT ON COLUMN sales.events.device IS 'Device: phone, tablet, desktop';
COMMENT ON COLUMN sales.events.properties IS 'Further data of the event';
COMMENT ON COLUMN sales.events.occurred_at IS 'When it happened';

-- step: Customers and products
INSERT INTO crm.countries VALUES
    ('US', 'United States', 'Americas', 'USD'), ('DE', 'Germany', 'Europe', 'EUR'), ('GB', 'United Kingdom', 'Europe', 'GBP'),
    ('FR', 'France', 'Europe', 'EUR'), ('JP', 'Japan', 'Asia Pacific', 'JPY'), ('CA', 'Canada', 'Americas', 'CAD'),
    ('BR', 'Brazil', 'Americas', 'BRL'), ('IT', 'Italy', 'Europe', 'EUR'), ('ES', 'Spain', 'Europe', 'EUR'),
    ('NL', 'Netherlands', 'Europe', 'EUR'), ('AU', 'Australia', 'Asia Pacific', 'AUD'), ('SE', 'Sweden', 'Europe', 'SEK'),
    ('CH', 'Switzerland', 'Europe', 'CHF'), ('PL', 'Poland', 'Europe', 'PLN'), ('IN', 'India', 'Asia Pacific', 'INR'),
    ('MX', 'Mexico', 'Americas', 'MXN'), ('AT', 'Austria', 'Europe', 'EUR'), ('KR', 'South Korea', 'Asia Pacific', 'KRW'),
    ('NO', 'Norway', 'Europe', 'NOK'), ('NZ', 'New Zealand', 'Asia Pacific', 'NZD');

INSERT INTO crm.customers
SELECT i, pg_temp.uuid(i, 10), first, last,
       lower(first) || '.' || lower(last) || i || '@example.com',
       (ARRAY['United States', 'Germany', 'United Kingdom', 'France', 'Japan', 'Canada', 'Brazil', 'Italy', 'Spain', 'Netherlands',
              'Australia', 'Sweden', 'Switzerland', 'Poland', 'India', 'Mexico', 'Austria', 'South Korea', 'Norway', 'New Zealand'])
           [1 + floor(20 * pg_temp.u(i, 3) * pg_temp.u(i, 1003))::integer],
       (CASE WHEN pg_temp.u(i, 4) < 0.80 THEN 'consumer' WHEN pg_temp.u(i, 4) < 0.97 THEN 'business' ELSE 'enterprise' END)::crm.segment,
       CASE WHEN pg_temp.u(i, 5) < 0.7 THEN date '1945-01-01' + floor(22000 * pg_temp.u(i, 6))::integer END,
       CASE WHEN pg_temp.u(i, 7) < 0.4 THEN '+' || (10000000000 + floor(89999999999 * pg_temp.u(i, 8)))::bigint END,
       pg_temp.u(i, 9) < 0.35,
       jsonb_build_object('language', pg_temp.pick(ARRAY['en', 'de', 'fr', 'es', 'ja'], pg_temp.u(i, 12)),
                          'theme', pg_temp.pick(ARRAY['light', 'dark'], pg_temp.u(i, 13))),
       timestamptz '2021-01-01 00:00+00' + make_interval(secs => floor(157766400.0 * (i - 1) / 100000))
FROM (SELECT i::integer,
             pg_temp.pick(ARRAY['Anna', 'Ben', 'Carla', 'David', 'Emma', 'Felix', 'Grace', 'Hugo', 'Ines', 'Jonas', 'Kate', 'Liam',
                                'Maria', 'Noah', 'Olivia', 'Paul', 'Rosa', 'Sven', 'Tara', 'Yuki'], pg_temp.u(i, 1)) AS first,
             pg_temp.pick(ARRAY['Adams', 'Bauer', 'Costa', 'Dubois', 'Evans', 'Fischer', 'Garcia', 'Hansen', 'Ito', 'Jones', 'Kim',
                                'Lopez', 'Moreau', 'Novak', 'Olsen', 'Patel', 'Rossi', 'Smith', 'Tanaka', 'Weber'], pg_temp.u(i, 2)) AS last
      FROM generate_series(1, 100000) i) names;

INSERT INTO sales.categories
SELECT i, name, NULL::integer
FROM unnest(ARRAY['Electronics', 'Home', 'Garden', 'Sports', 'Toys', 'Books', 'Clothing', 'Beauty']) WITH ORDINALITY c (name, i)
UNION ALL
SELECT 8 + i, name, 1 + (i - 1) / 3
FROM unnest(ARRAY['Phones', 'Laptops', 'Audio', 'Kitchen', 'Furniture', 'Lighting', 'Plants', 'Tools', 'Grills', 'Cycling', 'Running',
                  'Camping', 'Puzzles', 'Dolls', 'Building Sets', 'Novels', 'Cookbooks', 'Comics', 'Shoes', 'Jackets', 'Shirts',
                  'Perfume', 'Skin Care', 'Hair Care']) WITH ORDINALITY c (name, i);

INSERT INTO sales.suppliers
SELECT i, pg_temp.pick(ARRAY['Northwind', 'Acme', 'Blue River', 'Summit', 'Evergreen', 'Polar', 'Golden', 'Harbor', 'Vertex', 'Lumen'], (i - 1) % 10 / 10.0)
          || ' ' || pg_temp.pick(ARRAY['Trading', 'Supply', 'Industries', 'Goods', 'Imports', 'Works', 'Partners', 'Group'], (i - 1) / 10 / 8.0),
       pg_temp.pick(ARRAY['Germany', 'United States', 'Japan', 'Italy', 'South Korea', 'Poland', 'India', 'Mexico'], pg_temp.u(i, 21)),
       CASE WHEN pg_temp.u(i, 22) < 0.9 THEN round((4 + 6 * pg_temp.u(i, 23))::numeric, 1) END,
       pg_temp.u(i, 24) < 0.85,
       date '2012-01-01' + floor(3600 * pg_temp.u(i, 25))::integer
FROM generate_series(1, 80) i;

INSERT INTO sales.products
SELECT i, 'SKU-' || lpad(i::text, 5, '0'),
       pg_temp.pick(ARRAY['Classic', 'Modern', 'Compact', 'Deluxe', 'Eco', 'Smart', 'Ultra', 'Mini', 'Pro', 'Urban'], pg_temp.u(i, 31))
           || ' ' || c.name || ' ' || i,
       c.category_id, 1 + floor(80 * pg_temp.u(i, 32) * (0.5 + 0.5 * pg_temp.u(i, 1032)))::integer,
       price, round(price * (0.4 + 0.4 * pg_temp.u(i, 34))::numeric, 2),
       round((0.1 + 20 * pg_temp.u(i, 35) * pg_temp.u(i, 1035) * pg_temp.u(i, 2035))::numeric, 2)::double precision,
       jsonb_build_object('color', pg_temp.pick(ARRAY['black', 'white', 'red', 'blue', 'green', 'silver'], pg_temp.u(i, 36)),
                          'material', pg_temp.pick(ARRAY['plastic', 'metal', 'wood', 'cotton', 'glass'], pg_temp.u(i, 37))),
       date '2018-01-01' + floor(1800 * pg_temp.u(i, 38))::integer,
       CASE WHEN pg_temp.u(i, 39) < 0.1 THEN date '2024-01-01' + floor(700 * pg_temp.u(i, 40))::integer END
FROM (SELECT i::integer, 9 + floor(24 * pg_temp.u(i, 30))::integer AS category, round((3 + 900 * pg_temp.u(i, 33) * pg_temp.u(i, 1033) * pg_temp.u(i, 2033))::numeric, 2) AS price
      FROM generate_series(1, 2000) i) p
JOIN sales.categories c ON c.category_id = p.category
ORDER BY i;

-- step: Orders
INSERT INTO sales.orders
SELECT i, 1 + floor(pg_temp.u(i, 41) * pg_temp.u(i, 1041) * pg_temp.u(i, 2041) * existing)::integer,
       (CASE WHEN at >= timestamptz '2025-12-20 00:00+00' AND pg_temp.u(i, 42) < 0.6 THEN pg_temp.pick(ARRAY['pending', 'paid', 'shipped'], pg_temp.u(i, 43))
             WHEN pg_temp.u(i, 42) < 0.86 THEN 'delivered' WHEN pg_temp.u(i, 42) < 0.92 THEN 'shipped'
             WHEN pg_temp.u(i, 42) < 0.97 THEN 'cancelled' ELSE 'returned' END)::sales.order_status,
       CASE WHEN pg_temp.u(i, 44) < 0.55 THEN 'web' WHEN pg_temp.u(i, 44) < 0.88 THEN 'mobile' WHEN pg_temp.u(i, 44) < 0.95 THEN 'store' ELSE 'phone' END,
       CASE WHEN pg_temp.u(i, 45) < 0.12 THEN pg_temp.pick(ARRAY['WELCOME10', 'SUMMER', 'BLACKFRIDAY', 'FRIENDS'], pg_temp.u(i, 46)) END,
       CASE WHEN pg_temp.u(i, 47) < 0.3 THEN 0 ELSE 4.90 END, at
FROM (SELECT i, at, floor(100000 * extract(epoch FROM at - timestamptz '2021-01-01 00:00+00') / 157766400) AS existing
      FROM (SELECT i::bigint, timestamptz '2023-01-01 00:00+00'
                   + make_interval(days => floor(1096 * ((i - 1) / 350000.0 * (1.25 - 0.25 * (i - 1) / 350000.0)))::integer,
                                   secs => floor(86400 * pg_temp.u(i, 48))) AS at
            FROM generate_series(1, 350000) i) t) o;

-- step: Order lines
-- What is no longer sold is ordered as the next product that still is.
CREATE TEMPORARY TABLE on_sale AS
SELECT p.product_id, p.discontinued_on,
       coalesce((SELECT min(n.product_id) FROM sales.products n WHERE n.product_id > p.product_id AND n.discontinued_on IS NULL),
                (SELECT min(n.product_id) FROM sales.products n WHERE n.discontinued_on IS NULL)) AS instead
FROM sales.products p;
INSERT INTO sales.order_items
SELECT row_number() OVER (ORDER BY o.order_id, n), o.order_id, p.product_id,
       1 + floor(6 * pg_temp.u(o.order_id * 8 + n, 52) * pg_temp.u(o.order_id * 8 + n, 1052) * pg_temp.u(o.order_id * 8 + n, 2052))::integer,
       p.price, CASE WHEN o.coupon IS NULL THEN 0 ELSE 0.10 END
FROM sales.orders o
CROSS JOIN LATERAL generate_series(1, 1 + floor(5 * pg_temp.u(o.order_id, 50) * (0.9 + 0.1 * pg_temp.u(o.order_id, 1050)))::integer) n
JOIN pg_temp.on_sale s ON s.product_id = 1 + floor(2000 * pg_temp.u(o.order_id * 8 + n, 51) * pg_temp.u(o.order_id * 8 + n, 1051) * pg_temp.u(o.order_id * 8 + n, 2051))::integer
JOIN sales.products p ON p.product_id = CASE WHEN s.discontinued_on < (o.created_at AT TIME ZONE 'UTC')::date THEN s.instead ELSE s.product_id END;

-- step: Payments, shipments, returns, reviews
INSERT INTO sales.payments
SELECT row_number() OVER (ORDER BY o.order_id), o.order_id,
       CASE WHEN pg_temp.u(o.order_id, 60) < 0.6 THEN 'card' WHEN pg_temp.u(o.order_id, 60) < 0.85 THEN 'paypal'
            WHEN pg_temp.u(o.order_id, 60) < 0.97 THEN 'invoice' ELSE 'gift card' END,
       t.amount + o.shipping_fee, pg_temp.u(o.order_id, 61) < 0.98,
       pg_temp.after(o.created_at, make_interval(secs => floor(3600 * pg_temp.u(o.order_id, 62))))
FROM sales.orders o
JOIN (SELECT order_id, round(sum(quantity * unit_price * (1 - discount)), 2) AS amount FROM sales.order_items GROUP BY order_id) t USING (order_id)
WHERE o.status NOT IN ('pending', 'cancelled');

INSERT INTO sales.shipments
SELECT row_number() OVER (ORDER BY order_id), order_id,
       pg_temp.pick(ARRAY['DHL', 'UPS', 'FedEx', 'Local Post'], pg_temp.u(order_id, 70) * (0.5 + 0.5 * pg_temp.u(order_id, 1070))),
       pg_temp.pick(ARRAY['Berlin', 'Chicago', 'Osaka'], pg_temp.u(order_id, 71)),
       round((2 + 8 * pg_temp.u(order_id, 72))::numeric, 2), left_at,
       CASE WHEN status <> 'shipped' THEN pg_temp.after(left_at, make_interval(hours => 12 + floor(160 * pg_temp.u(order_id, 73) * pg_temp.u(order_id, 1073))::integer)) END
FROM (SELECT order_id, status, pg_temp.after(created_at, make_interval(hours => 2 + floor(70 * pg_temp.u(order_id, 74))::integer)) AS left_at
      FROM sales.orders WHERE status IN ('shipped', 'delivered', 'returned')) s;

INSERT INTO sales.returns
SELECT row_number() OVER (ORDER BY i.order_item_id), i.order_item_id,
       pg_temp.pick(ARRAY['not wanted', 'damaged', 'wrong item', 'too late'], pg_temp.u(i.order_item_id, 80) * (0.5 + 0.5 * pg_temp.u(i.order_item_id, 1080))),
       round(i.quantity * i.unit_price * (1 - i.discount), 2),
       pg_temp.after(o.created_at, make_interval(days => 4 + floor(25 * pg_temp.u(i.order_item_id, 81))::integer))
FROM sales.order_items i
JOIN sales.orders o USING (order_id)
WHERE o.status = 'returned';

INSERT INTO sales.reviews
SELECT row_number() OVER (ORDER BY i.order_item_id), i.product_id, o.customer_id,
       5 - floor(5 * pg_temp.u(i.order_item_id, 83) * pg_temp.u(i.order_item_id, 1083) * pg_temp.u(i.order_item_id, 2083))::integer,
       CASE WHEN pg_temp.u(i.order_item_id, 84) < 0.6 THEN pg_temp.pick(ARRAY['Great', 'As expected', 'Good value', 'Disappointing', 'Would buy again'], pg_temp.u(i.order_item_id, 85)) END,
       floor(40 * pg_temp.u(i.order_item_id, 86) * pg_temp.u(i.order_item_id, 1086) * pg_temp.u(i.order_item_id, 2086))::integer,
       pg_temp.after(o.created_at, make_interval(days => 5 + floor(30 * pg_temp.u(i.order_item_id, 87))::integer))
FROM sales.order_items i
JOIN sales.orders o USING (order_id)
WHERE o.status = 'delivered' AND pg_temp.u(i.order_item_id, 82) < 0.06;

INSERT INTO sales.inventory
SELECT p, w, floor(500 * pg_temp.u(p * 3 + n, 90) * pg_temp.u(p * 3 + n, 1090))::integer, date '2025-12-31' - floor(60 * pg_temp.u(p * 3 + n, 91))::integer
FROM generate_series(1, 2000) p
CROSS JOIN unnest(ARRAY['Berlin', 'Chicago', 'Osaka']) WITH ORDINALITY h (w, n);

-- step: Subscriptions, tickets, events
INSERT INTO crm.subscriptions
SELECT row_number() OVER (ORDER BY c), c, plan,
       CASE WHEN ends IS NOT NULL THEN 'cancelled' WHEN pg_temp.u(c, 103) < 0.06 THEN 'paused' ELSE 'active' END,
       CASE plan WHEN 'basic' THEN 4.99 WHEN 'plus' THEN 9.99 ELSE 19.99 END, starts, ends
FROM (SELECT c.customer_id AS c, CASE WHEN pg_temp.u(c.customer_id, 101) < 0.6 THEN 'basic' WHEN pg_temp.u(c.customer_id, 101) < 0.9 THEN 'plus' ELSE 'premium' END AS plan,
             pg_temp.after(c.created_at, make_interval(days => 1)) AS starts,
             CASE WHEN pg_temp.u(c.customer_id, 102) < 0.4 AND c.created_at < timestamptz '2024-04-01 00:00+00'
                  THEN c.created_at + make_interval(days => 31 + floor(600 * pg_temp.u(c.customer_id, 104))::integer) END AS ends
      FROM crm.customers c
      WHERE pg_temp.u(c.customer_id, 100) < 0.2) s;

INSERT INTO crm.agents
SELECT i, pg_temp.pick(ARRAY['Ada', 'Bruno', 'Clara', 'Dan', 'Elif', 'Femi', 'Gina', 'Hana'], (i - 1) % 8 / 8.0) || ' ' || pg_temp.pick(ARRAY['Lind', 'Okoye', 'Reyes', 'Stone', 'Wong'], (i - 1) / 8 / 5.0),
       pg_temp.pick(ARRAY['first line', 'second line', 'billing'], pg_temp.u(i, 110) * (0.5 + 0.5 * pg_temp.u(i, 1110))), date '2017-01-01' + floor(2500 * pg_temp.u(i, 111))::integer
FROM generate_series(1, 40) i;

INSERT INTO crm.tickets
SELECT row_number() OVER (ORDER BY order_id), customer_id, CASE WHEN pg_temp.u(order_id, 121) < 0.8 THEN order_id END,
       CASE WHEN status <> 'open' THEN 1 + floor(40 * pg_temp.u(order_id, 122) * (0.5 + 0.5 * pg_temp.u(order_id, 1122)))::integer END,
       pg_temp.pick(ARRAY['delivery', 'product', 'payment', 'account'], pg_temp.u(order_id, 123) * (0.5 + 0.5 * pg_temp.u(order_id, 1123))),
       pg_temp.pick(ARRAY['normal', 'low', 'high', 'urgent'], pg_temp.u(order_id, 124) * (0.5 + 0.5 * pg_temp.u(order_id, 1124))), status,
       CASE WHEN status = 'resolved' AND pg_temp.u(order_id, 125) < 0.5 THEN 5 - floor(5 * pg_temp.u(order_id, 126) * pg_temp.u(order_id, 1126))::integer END,
       opened, CASE WHEN status = 'resolved' THEN pg_temp.after(opened, make_interval(hours => 1 + floor(200 * pg_temp.u(order_id, 127) * pg_temp.u(order_id, 1127) * pg_temp.u(order_id, 2127))::integer)) END
FROM (SELECT order_id, customer_id, pg_temp.after(created_at, make_interval(days => 1 + floor(10 * pg_temp.u(order_id, 128))::integer)) AS opened,
             CASE WHEN created_at < timestamptz '2025-12-01 00:00+00' OR pg_temp.u(order_id, 129) < 0.4 THEN 'resolved'
                  WHEN pg_temp.u(order_id, 129) < 0.7 THEN 'pending' ELSE 'open' END AS status
      FROM sales.orders
      WHERE pg_temp.u(order_id, 120) < 0.08) t;

INSERT INTO sales.events
SELECT i, pg_temp.uuid(i / 4, 130), CASE WHEN pg_temp.u(i / 4, 132) < 0.5 THEN 1 + floor(40000 * pg_temp.u(i / 4, 133) * pg_temp.u(i / 4, 1133) * pg_temp.u(i / 4, 2133))::integer END,
       CASE WHEN kind <> 'search' THEN 1 + floor(2000 * pg_temp.u(i, 134) * pg_temp.u(i, 1134) * pg_temp.u(i, 2134))::integer END, kind,
       pg_temp.pick(ARRAY['phone', 'desktop', 'tablet'], pg_temp.u(i / 4, 135) * (0.5 + 0.5 * pg_temp.u(i / 4, 1135))),
       CASE WHEN kind = 'search' THEN jsonb_build_object('terms', pg_temp.pick(ARRAY['shoes', 'lamp', 'laptop', 'tent', 'gift'], pg_temp.u(i, 136)))
            ELSE jsonb_build_object('seconds', floor(200 * pg_temp.u(i, 137) * pg_temp.u(i, 1137) * pg_temp.u(i, 2137))) END,
       timestamptz '2023-01-01 00:00+00' + make_interval(secs => floor(94694400.0 * (i - 1) / 300000))
FROM (SELECT i::bigint, CASE WHEN pg_temp.u(i, 131) < 0.65 THEN 'view' WHEN pg_temp.u(i, 131) < 0.85 THEN 'search' WHEN pg_temp.u(i, 131) < 0.95 THEN 'cart' ELSE 'checkout' END AS kind
      FROM generate_series(1, 300000) i) e;

-- step: Keys and indexes

ALTER TABLE crm.countries ADD PRIMARY KEY (code);
ALTER TABLE crm.customers ADD PRIMARY KEY (customer_id);
ALTER TABLE crm.subscriptions ADD PRIMARY KEY (subscription_id);
ALTER TABLE crm.agents ADD PRIMARY KEY (agent_id);
ALTER TABLE crm.tickets ADD PRIMARY KEY (ticket_id);
ALTER TABLE sales.categories ADD PRIMARY KEY (category_id);
ALTER TABLE sales.suppliers ADD PRIMARY KEY (supplier_id);
ALTER TABLE sales.products ADD PRIMARY KEY (product_id);
ALTER TABLE sales.orders ADD PRIMARY KEY (order_id);
ALTER TABLE sales.order_items ADD PRIMARY KEY (order_item_id);
ALTER TABLE sales.payments ADD PRIMARY KEY (payment_id);
ALTER TABLE sales.shipments ADD PRIMARY KEY (shipment_id);
ALTER TABLE sales.returns ADD PRIMARY KEY (return_id);
ALTER TABLE sales.reviews ADD PRIMARY KEY (review_id);
ALTER TABLE sales.inventory ADD PRIMARY KEY (product_id, warehouse);
ALTER TABLE sales.events ADD PRIMARY KEY (event_id, occurred_at);
ALTER TABLE crm.countries ADD UNIQUE (name);
ALTER TABLE crm.customers ADD UNIQUE (customer_uuid);
ALTER TABLE crm.customers ADD UNIQUE (email);
ALTER TABLE sales.products ADD UNIQUE (sku);
ALTER TABLE crm.customers ADD FOREIGN KEY (country) REFERENCES crm.countries (name);
ALTER TABLE crm.subscriptions ADD FOREIGN KEY (customer_id) REFERENCES crm.customers;
ALTER TABLE crm.tickets ADD FOREIGN KEY (customer_id) REFERENCES crm.customers;
ALTER TABLE crm.tickets ADD FOREIGN KEY (order_id) REFERENCES sales.orders;
ALTER TABLE crm.tickets ADD FOREIGN KEY (agent_id) REFERENCES crm.agents;
ALTER TABLE sales.categories ADD FOREIGN KEY (parent_id) REFERENCES sales.categories;
ALTER TABLE sales.suppliers ADD FOREIGN KEY (country) REFERENCES crm.countries (name);
ALTER TABLE sales.products ADD FOREIGN KEY (category_id) REFERENCES sales.categories;
ALTER TABLE sales.products ADD FOREIGN KEY (supplier_id) REFERENCES sales.suppliers;
ALTER TABLE sales.orders ADD FOREIGN KEY (customer_id) REFERENCES crm.customers;
ALTER TABLE sales.order_items ADD FOREIGN KEY (order_id) REFERENCES sales.orders;
ALTER TABLE sales.order_items ADD FOREIGN KEY (product_id) REFERENCES sales.products;
ALTER TABLE sales.payments ADD FOREIGN KEY (order_id) REFERENCES sales.orders;
ALTER TABLE sales.shipments ADD FOREIGN KEY (order_id) REFERENCES sales.orders;
ALTER TABLE sales.returns ADD FOREIGN KEY (order_item_id) REFERENCES sales.order_items;
ALTER TABLE sales.reviews ADD FOREIGN KEY (product_id) REFERENCES sales.products;
ALTER TABLE sales.reviews ADD FOREIGN KEY (customer_id) REFERENCES crm.customers;
ALTER TABLE sales.inventory ADD FOREIGN KEY (product_id) REFERENCES sales.products;
ALTER TABLE sales.events ADD FOREIGN KEY (customer_id) REFERENCES crm.customers;
ALTER TABLE sales.events ADD FOREIGN KEY (product_id) REFERENCES sales.products;
CREATE INDEX ON crm.customers (created_at);
CREATE INDEX ON crm.tickets (opened_at);
CREATE INDEX ON sales.orders (created_at);
CREATE INDEX ON sales.orders (customer_id);
CREATE INDEX ON sales.order_items (order_id);
CREATE INDEX ON sales.order_items (product_id);
CREATE INDEX ON sales.payments (order_id);
CREATE INDEX ON sales.shipments (order_id);
CREATE INDEX ON sales.events (occurred_at);

-- step: Views
CREATE VIEW sales.order_totals AS
SELECT o.order_id, o.customer_id, o.status, o.created_at, count(*) AS lines,
       round(sum(i.quantity * i.unit_price * (1 - i.discount)), 2)::numeric(12,2) AS total
FROM sales.orders o
JOIN sales.order_items i USING (order_id)
GROUP BY o.order_id, o.customer_id, o.status, o.created_at;
COMMENT ON VIEW sales.order_totals IS 'Orders with the number of their lines and their total';
COMMENT ON COLUMN sales.order_totals.total IS 'Sum of the lines after discount';

CREATE MATERIALIZED VIEW sales.monthly_revenue AS
SELECT date_trunc('month', o.created_at AT TIME ZONE 'UTC')::date AS month, p.category_id, count(DISTINCT o.order_id) AS orders,
       round(sum(i.quantity * i.unit_price * (1 - i.discount)), 2)::numeric(14,2) AS revenue
FROM sales.orders o
JOIN sales.order_items i USING (order_id)
JOIN sales.products p USING (product_id)
WHERE o.status <> 'cancelled'
GROUP BY 1, 2
ORDER BY 1, 2;
COMMENT ON MATERIALIZED VIEW sales.monthly_revenue IS 'Revenue of each month and product category, without cancelled orders';
COMMENT ON COLUMN sales.monthly_revenue.month IS 'First day of the month';
COMMENT ON COLUMN sales.monthly_revenue.revenue IS 'Revenue after discount';

-- step: Statistics
ANALYZE;
