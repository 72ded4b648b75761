-- The database of compose.yaml, made with its volume: PostgreSQL's image runs this once, as its superuser.
-- Parley owns its database and nothing else; who takes over a node becomes no superuser, and runs no program of the system.
\set ON_ERROR_STOP on
\getenv password PARLEY_PASSWORD
create role parley login nosuperuser nocreatedb nocreaterole noreplication nobypassrls password :'password';
create database parley owner parley encoding 'UTF8' template template0;
revoke all on database parley from public;
revoke connect on database postgres from public;
-- The superuser comes in through the container's own socket alone: docker compose exec -u postgres postgres psql
alter role postgres password null;
