drop table national_results;
drop table indicator_baselines;
drop table indicators;
drop table framework_nodes;
drop table frameworks;
