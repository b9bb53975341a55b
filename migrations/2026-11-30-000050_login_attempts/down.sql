delete from table_privileges where relation in ('login_attempts', 'login_addresses');
comment on table login_failures is 'Counters of the login throttle, per account and address and per address.';
drop table login_addresses;
drop table login_attempts;
